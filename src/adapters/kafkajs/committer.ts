/**
 * Commits with the member id and generation of the lease, so that the broker fences them (rule R5).
 */
import type { CommitEntry, CommitOutcome } from "../../source/source.ts";
import type { Logger } from "../../types.ts";
import type { ClientBroker, TopicData } from "./client.ts";
import { errorType, isRetriable } from "./errors.ts";
import type { KafkajsLease } from "./lease.ts";
import type { Membership } from "./membership.ts";
import { AbortedWait, untilAborted } from "./wait.ts";

/**
 * What an error type means. `one`: it may be about one partition only, the others deserve a round
 * of their own.
 */
interface Meaning {
  readonly outcome: CommitOutcome;
  readonly one?: boolean;
  /** Another broker may be the coordinator now. */
  readonly refind?: boolean;
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  REBALANCE_IN_PROGRESS: { outcome: "not-now" },
  ILLEGAL_GENERATION: { outcome: "fenced" },
  UNKNOWN_MEMBER_ID: { outcome: "fenced" },
  FENCED_INSTANCE_ID: { outcome: "fenced" },
  // FENCED_MEMBER_EPOCH and STALE_MEMBER_EPOCH of KIP-848 groups: newer than kafkajs's table.
  CODE_110: { outcome: "fenced" },
  CODE_113: { outcome: "fenced", one: true },
  GROUP_LOAD_IN_PROGRESS: { outcome: "retry" },
  GROUP_COORDINATOR_NOT_AVAILABLE: { outcome: "retry", refind: true },
  NOT_COORDINATOR_FOR_GROUP: { outcome: "retry", refind: true },
  OFFSET_METADATA_TOO_LARGE: { outcome: "too-large", one: true },
  INVALID_COMMIT_OFFSET_SIZE: { outcome: "too-large", one: true },
  GROUP_AUTHORIZATION_FAILED: { outcome: "denied" },
  TOPIC_AUTHORIZATION_FAILED: { outcome: "denied", one: true },
  UNKNOWN_TOPIC_OR_PARTITION: { outcome: "retry", one: true },
  // What the broker says when the request as a whole is too big for one record batch.
  UNKNOWN: { outcome: "retry", one: true },
};

function meaningOf(error: unknown): Meaning {
  const known = MEANINGS[errorType(error)];
  if (known !== undefined) return known;
  const isProtocolError = typeof (error as { type?: unknown } | null)?.type === "string";
  if (isProtocolError && !isRetriable(error)) return { outcome: "denied", one: true };
  // Timeouts and lost connections: the outcome is unknown, and the coordinator may have moved.
  return { outcome: "retry", refind: !isProtocolError };
}

function topicsOf(
  entries: readonly CommitEntry[],
): TopicData<{ partition: number; offset: string; metadata: string }>[] {
  const topics = new Map<string, { partition: number; offset: string; metadata: string }[]>();
  for (const { lease, offset, metadata } of entries) {
    const partitions = topics.get(lease.topic) ?? [];
    topics.set(lease.topic, partitions);
    partitions.push({ partition: lease.partition, offset: String(offset), metadata });
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}

/** One request's worth: the same member id and generation. */
interface Share {
  readonly memberId: string;
  readonly generation: number;
  readonly indexes: number[];
}

/** The outcome that needs no request, or null. */
function outcomeWithoutRequest(lease: KafkajsLease, share: Share): CommitOutcome | null {
  if (lease.state === "ended") return "fenced";
  // It went on under a newer generation (R3) since the request was put together.
  if (lease.generation !== share.generation) return "not-now";
  return lease.state === "live" || lease.state === "draining" ? null : "not-now";
}

/** What the broker's answer means for the lease as it is now. */
function outcomeAfter(
  outcome: CommitOutcome,
  lease: KafkajsLease,
  { generation }: Share,
): CommitOutcome {
  // Whatever the broker stored, nobody may build on it.
  if (lease.state === "ended") return "fenced";
  // The fence is about the generation before; the lease has gone on since.
  if (outcome === "fenced" && lease.generation !== generation) return "retry";
  return outcome;
}

export class Committer {
  readonly #membership: Membership;
  readonly #logger: Logger;
  readonly #onExpelled: (memberId: string) => void;

  /** @param onExpelled The broker does not know this member id any more. */
  constructor(membership: Membership, logger: Logger, onExpelled: (memberId: string) => void) {
    this.#membership = membership;
    this.#logger = logger;
    this.#onExpelled = onExpelled;
  }

  /**
   * Outcomes index by index. Answers when the signal aborts, whatever the broker does: a request
   * that hangs counts as `retry`, for its outcome is unknown.
   */
  async commit(
    entries: readonly CommitEntry[],
    signal: AbortSignal,
  ): Promise<readonly CommitOutcome[]> {
    const outcomes: CommitOutcome[] = entries.map(() => "retry");
    const shares = new Map<string, Share>();
    for (const [index, { lease }] of entries.entries()) {
      const { memberId, generation } = lease as KafkajsLease;
      const name = `${generation}/${memberId}`;
      const share = shares.get(name) ?? { memberId, generation, indexes: [] };
      shares.set(name, share);
      share.indexes.push(index);
    }
    for (const share of shares.values()) {
      const failed = await this.#send(entries, share, outcomes, signal);
      if (!failed?.one || share.indexes.length === 1) continue;
      // One error for the whole request: one more round, partition by partition (rule O4).
      for (const index of share.indexes) {
        await this.#send(entries, { ...share, indexes: [index] }, outcomes, signal);
      }
    }
    return outcomes;
  }

  /** Sends what may be sent of the share and fills its outcomes in; null when nothing failed. */
  async #send(
    entries: readonly CommitEntry[],
    share: Share,
    outcomes: CommitOutcome[],
    signal: AbortSignal,
  ): Promise<Meaning | null> {
    const entryAt = (index: number): CommitEntry => entries[index] as CommitEntry;
    const leaseAt = (index: number): KafkajsLease => entryAt(index).lease as KafkajsLease;
    const sent: number[] = [];
    for (const index of share.indexes) {
      const known = outcomeWithoutRequest(leaseAt(index), share);
      if (known === null) sent.push(index);
      else outcomes[index] = known;
    }
    const coordinator = this.#membership.coordinator;
    if (sent.length === 0 || signal.aborted || coordinator === null) return null;
    for (const index of sent) leaseAt(index).sending(entryAt(index));
    // No await between the check above and the request: a lease that ends now is fenced by the
    // broker.
    const failed = await this.#request(coordinator, share, sent.map(entryAt), signal);
    for (const index of sent) {
      if (failed === null) leaseAt(index).acknowledged(entryAt(index));
      outcomes[index] = outcomeAfter(failed?.outcome ?? "stored", leaseAt(index), share);
    }
    return failed;
  }

  async #request(
    coordinator: ClientBroker,
    { memberId, generation }: Share,
    entries: readonly CommitEntry[],
    signal: AbortSignal,
  ): Promise<Meaning | null> {
    try {
      const request = coordinator.offsetCommit({
        groupId: this.#membership.groupId,
        memberId,
        groupGenerationId: generation,
        topics: topicsOf(entries),
      });
      await untilAborted(request, signal);
      return null;
    } catch (error) {
      if (error instanceof AbortedWait) return { outcome: "retry" };
      const type = errorType(error);
      const meaning = meaningOf(error);
      this.#logger.debug("commit refused", { type, outcome: meaning.outcome });
      if (type === "UNKNOWN_MEMBER_ID") this.#onExpelled(memberId);
      // Failing again is the next commit's answer, not this one's.
      if (meaning.refind) await untilAborted(this.#membership.refind(), signal).catch(() => {});
      return meaning;
    }
  }
}
