/** Commits from outside of a group: without a member id, so that only a group without members takes them. */
import { SourceError } from "../../errors.ts";
import type { OffsetToStore } from "../../source/source.ts";
import type { Client, ClientAssigner, ClientCluster, ClientConsumer } from "./client.ts";
import { errorType, isRetriable } from "./errors.ts";

/** Requests stay under this; the broker writes one as one record batch of at most 1 MB. */
const MAX_REQUEST_BYTES = 900_000;
/** Beside topic, group and metadata. */
const ENTRY_BYTES = 64;
/** Tries for answers that say "not yet", and the time between: 2 s in all. */
const ATTEMPTS = 10;
const PAUSE_MS = 200;
/** Longest string that the protocol holds: no broker takes metadata of this length. */
const TOO_LONG = 32_767;

const encoder: TextEncoder = new TextEncoder();

/** The broker refuses commits from outside because somebody is in the group. */
export function isRunning(error: unknown): boolean {
  const type = errorType(error);
  // What a group says in the middle of a rebalance, and one of the newer protocol.
  const inside = ["UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS"];
  return [...inside, "CODE_110", "CODE_113"].includes(type);
}

/** The same commit may be taken a little later: a coordinator moves or loads, a connection broke. */
function isPassing(error: unknown): boolean {
  const lasting = isRunning(error) || errorType(error) === "UNKNOWN_TOPIC_OR_PARTITION";
  return !lasting && isRetriable(error);
}

/**
 * kafkajs's admin can set offsets too, but erases their metadata. So this speaks to coordinators
 * itself, over the cluster that kafkajs hands to a consumer's assigner; that consumer never runs.
 */
export class OutsideCommits {
  readonly #client: Client;
  #consumer: ClientConsumer | null = null;
  #cluster: Promise<ClientCluster> | null = null;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Rejects with kafkajs's error, see {@link isRunning}; requests before the failed one are stored. */
  async commit(groupId: string, topic: string, offsets: readonly OffsetToStore[]): Promise<void> {
    const around = encoder.encode(groupId + topic).length + ENTRY_BYTES;
    let request: OffsetToStore[] = [];
    let bytes = 0;
    for (const one of offsets) {
      const more = around + encoder.encode(one.metadata).length;
      if (request.length > 0 && bytes + more > MAX_REQUEST_BYTES) {
        await this.#send(groupId, topic, request);
        request = [];
        bytes = 0;
      }
      request.push(one);
      bytes += more;
    }
    if (request.length > 0) await this.#send(groupId, topic, request);
  }

  /**
   * Whether a commit would be taken, by one that changes nothing: of what is stored, or else of
   * metadata that is too long, which the broker looks at after it has looked at the members.
   *
   * @param stored An offset that the group has in the topic, if there is one.
   */
  async isTaken(
    groupId: string,
    topic: string,
    stored: OffsetToStore | undefined,
  ): Promise<boolean> {
    const nothing = { partition: 0, offset: -1, metadata: "x".repeat(TOO_LONG) };
    try {
      await this.#send(groupId, topic, [stored ?? nothing]);
      return true;
    } catch (error) {
      if (isRunning(error)) return false;
      if (errorType(error) === "OFFSET_METADATA_TOO_LARGE") return true;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#consumer?.disconnect();
  }

  async #send(groupId: string, topic: string, offsets: readonly OffsetToStore[]): Promise<void> {
    const cluster = await this.#open();
    const partitions = offsets.map(({ partition, offset, metadata }) => {
      return { partition, offset: String(offset), metadata };
    });
    const outside = { memberId: "", groupGenerationId: -1 };
    for (let attempt = 1; ; attempt++) {
      try {
        const coordinator = await cluster.findGroupCoordinator({ groupId });
        await coordinator.offsetCommit({ groupId, ...outside, topics: [{ topic, partitions }] });
        return;
      } catch (error) {
        if (attempt === ATTEMPTS || !isPassing(error)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  #open(): Promise<ClientCluster> {
    this.#cluster ??= this.#connect();
    return this.#cluster;
  }

  async #connect(): Promise<ClientCluster> {
    let found: ClientCluster | undefined;
    const assigner = ({ cluster }: { cluster: ClientCluster }): ClientAssigner => {
      found = cluster;
      const unused = { name: "headrace", version: 0 };
      const metadata = new Uint8Array(0);
      return {
        ...unused,
        assign: async () => [],
        protocol: () => ({ name: unused.name, metadata }),
      };
    };
    const groupId = "headrace-outside";
    const consumer = this.#client.consumer({ groupId, partitionAssigners: [assigner] });
    if (found === undefined) {
      throw new SourceError(
        "Cannot store offsets as the client must hand its cluster to partition assigners: " +
          "received a client that differs from kafkajs 2.2",
      );
    }
    this.#consumer = consumer;
    await consumer.connect();
    await found.refreshMetadata();
    return found;
  }
}
