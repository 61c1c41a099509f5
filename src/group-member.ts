import { Committer } from "./commit/committer.ts";
import { SourceError } from "./errors.ts";
import { type DrainReport, GroupLeases } from "./group-leases.ts";
import type { MemberFacts, MemberHost, PipelineHost } from "./pipeline-host.ts";
import { consumerState, explain, partitionStats, placeOf, tellIdle } from "./report.ts";
import type { ResolvedOptions } from "./resolve-options.ts";
import type { ResolvedSegments } from "./resolve-segments.ts";
import { DEFAULT_MERGE_KEY, type SegmentNaming, segmentGroupId } from "./segments/segment-names.ts";
import { startSegments } from "./segments/start-segments.ts";
import { settlesWithin } from "./settles-within.ts";
import type { AssignedLease, Lease, Source, SourceBatch, SourceListener } from "./source/source.ts";
import type { CommitReport, Explanation, PartitionStats, StatsPlace } from "./stats.ts";
import type { TopicPartition } from "./types.ts";

/** What leaving the group may take beyond the drain and the last commit (R4). */
const LEAVE_MS = 1000;

/** What a group's member needs of the consumer it belongs to. */
export interface MemberConsumer extends MemberHost {
  /** How many members the consumer has: one, or one for each segment that it runs. */
  readonly memberCount: number;
  /** Settles when the close that runs has drained; null while none runs. */
  readonly closeDrain: () => Promise<unknown> | null;
  readonly isClosing: () => boolean;
  readonly isPaused: (where: TopicPartition) => boolean;
  readonly fail: (error: unknown) => void;
}

/** S7: before the members of segments join, all segments have a start. */
export async function prepareSegments(options: ResolvedOptions): Promise<void> {
  const { source, groupId, topics, segments, fromBeginning } = options;
  if (segments === null) return;
  const { version, count, run } = segments;
  await startSegments(source.admin!(), {
    naming: namingOf(groupId, segments),
    run,
    topics: [...topics.keys()],
    segmentation: { count, version },
    fromBeginning,
    format: {
      form: options.offsetMap === "ascii" ? "ascii" : "dense",
      maxLength: options.maxMetadataLength,
    },
  });
}

function namingOf(origin: string, { count, mergeKey }: ResolvedSegments): SegmentNaming {
  return { origin, count, mergeKey: mergeKey ?? DEFAULT_MERGE_KEY };
}

/** The members that a consumer has: one, or one for each segment that it runs (S1). */
export function membersOf({ groupId, segments }: ResolvedOptions): MemberFacts[] {
  if (segments === null) return [{ groupId, segment: null, sourceError: null }];
  const { count, run } = segments;
  return run.map((index) => ({
    groupId: segmentGroupId(namingOf(groupId, segments), index),
    segment: { index, count, origin: groupId },
    sourceError: null,
  }));
}

/** A consumer as a member of one group: its source, its leases and their commits. */
export class GroupMember {
  readonly leases: GroupLeases;
  readonly committer: Committer;
  readonly #consumer: MemberConsumer;
  readonly #facts: MemberFacts;
  #source: Source | null = null;
  /** Partitions may come at any moment. */
  rebalancing = false;

  constructor(consumer: MemberConsumer, facts: MemberFacts) {
    const { clock, commitIntervalMs } = consumer.options;
    const { groupId, segment } = facts;
    this.#consumer = consumer;
    this.#facts = facts;
    this.committer = new Committer({
      clock,
      intervalMs: commitIntervalMs,
      groupId,
      send: (entries, signal) => this.#source!.commit(entries, signal),
      onError: (error) => consumer.fail(error),
    });
    const host: PipelineHost = {
      ...consumer,
      member: facts,
      events: segment === null ? consumer.events : consumer.events.with({ groupId, segment }),
      letters: consumer.deadLetters?.writerFor(groupId) ?? null,
      marked: (lease, idle) => this.#marked(lease, idle),
    };
    this.leases = new GroupLeases(host, this.committer);
  }

  /** Of the source, once it was opened. */
  get sessionTimeoutMs(): number | undefined {
    return this.#source?.sessionTimeoutMs;
  }

  /** Opens the source and joins; settles when the first assignment is known. */
  async start(): Promise<void> {
    const { options, memberCount } = this.#consumer;
    const { source, topics, drainTimeoutMs, clock, logger } = options;
    this.#source = source.open({
      groupId: this.#facts.groupId,
      topics: [...topics.keys()],
      member: 0,
      drainTimeoutMs,
      maxInFlightBytes: Math.ceil(options.maxInFlightBytes / memberCount),
      clock,
      logger,
    });
    await this.#source.start(this.#listener());
    this.rebalancing = false;
  }

  /** Before the end: running calls get until the deadline, and what is done is committed. */
  drain(deadlineMs: number, commit: boolean): Promise<DrainReport> {
    return this.leases.drain(this.#allLeases, deadlineMs, true, commit);
  }

  /** After the drain: nothing is handled or committed any more. */
  end(): void {
    this.committer.close();
    this.leases.end(this.#allLeases, null);
  }

  /** Leaves the group; whatever the broker does, not for longer than its time. */
  async leave(): Promise<void> {
    if (this.#source === null) return;
    const controller = new AbortController();
    const stopped = this.#source
      .stop({ leave: true, signal: controller.signal })
      .catch((error) => this.#consumer.report(error));
    const { clock } = this.#consumer.options;
    if (!(await settlesWithin(clock, LEAVE_MS, stopped))) controller.abort();
  }

  /** R11. @returns false: the partition is not assigned to this member. */
  seek({ topic, partition }: TopicPartition, offset: number): boolean {
    return this.#source !== null && this.leases.seek(topic, partition, offset, this.#source);
  }

  async commit(): Promise<CommitReport> {
    const positions = this.leases.all().map((record) => record.position);
    await this.committer.commitOnce(positions);
    return positions.map((position) => {
      // More may have been marked meanwhile: the answer counts, not what is pending now.
      const answer = position.refusal === null ? "stored" : "failed";
      const outcome = position.mayCommit ? answer : "fenced";
      return { ...this.#placeOf(position.lease), offset: position.stored ?? -1, outcome };
    });
  }

  applyPauses(): void {
    for (const { pipeline } of this.leases.all()) {
      pipeline.pauses.user = this.#consumer.isPaused(pipeline.lease);
    }
  }

  /** Messages of calls that ended well, and failed attempts, since the start. */
  counts(): { processed: number; failed: number } {
    let { processed, failed } = this.leases;
    for (const { pipeline } of this.leases.all()) {
      processed += pipeline.processed;
      failed += pipeline.failures;
    }
    return { processed, failed };
  }

  stats(): PartitionStats[] {
    return this.leases.all().map(partitionStats);
  }

  explain(): Explanation[] {
    const { scheduler, options } = this.#consumer;
    const state = consumerState(scheduler, options.clock);
    const known = this.leases.all().map((record) => explain(record, state));
    const assigned = new Set(known.map((one) => one.topic));
    const missing = [...options.topics.keys()].filter((topic) => !assigned.has(topic));
    const reason = this.rebalancing ? "rebalancing" : "not-assigned";
    const none = missing.map((topic) => ({ ...this.#placeOf({ topic, partition: -1 }), reason }));
    return [...known, ...none] as Explanation[];
  }

  get #allLeases(): Lease[] {
    return this.leases.all().map(({ pipeline }) => pipeline.lease);
  }

  #placeOf(where: TopicPartition): StatsPlace {
    return placeOf(where, this.#facts);
  }

  #marked(lease: Lease, nothingLeft: boolean): void {
    const record = this.leases.of(lease);
    if (record === undefined) return;
    const { tracker, highWatermark } = record.pipeline;
    record.position.changed();
    // Of what a segment reads most is foreign: between two messages of its own it is not idle.
    const isBehind = this.#facts.segment !== null && tracker.nextOffset < highWatermark;
    this.committer.changed(record.position, nothingLeft && !isBehind);
    if (nothingLeft) tellIdle(record);
  }

  /** What the source tells; an error of ours must not reach the client: it is fatal here. */
  #listener(): SourceListener {
    const { fail, report, scheduler } = this.#consumer;
    const guard =
      <A extends unknown[], R>(otherwise: R, act: (...args: A) => R) =>
      (...args: A): R => {
        try {
          return act(...args);
        } catch (error) {
          fail(error);
          return otherwise;
        }
      };
    return {
      assigned: (leases) => leases.map((assigned) => this.#assign(assigned)),
      revoking: (leases, deadlineMs) => this.#revoke(leases, deadlineMs).catch(fail),
      joined: guard(undefined, (kept: readonly Lease[], ended: readonly Lease[]) => {
        this.rebalancing = false;
        this.leases.end(ended, "revoked");
        this.leases.resume(kept);
        scheduler.turn();
      }),
      lost: guard(undefined, (leases: readonly Lease[]) => this.leases.end(leases, "lost")),
      deliver: guard(undefined, (batch: SourceBatch): void | Promise<void> => {
        this.#facts.sourceError = null;
        return this.leases.of(batch.lease)?.inlet.deliver(batch);
      }),
      untilNeeded: guard(undefined, (lease: Lease, readMessages: number) =>
        this.leases.of(lease)?.pipeline.untilNeeded(readMessages),
      ),
      advanced: guard(undefined, (lease: Lease, nextOffset: number) =>
        this.leases.of(lease)?.inlet.advanced(nextOffset),
      ),
      failed: (error, fatal) => {
        this.#facts.sourceError = error.message;
        if (fatal) fail(error);
        else report(error);
      },
    };
  }

  #assign(assigned: AssignedLease): number {
    this.rebalancing = false;
    this.#facts.sourceError = null;
    const nowhere = assigned.committed?.offset ?? assigned.logEnd;
    if (this.#consumer.isClosing()) return nowhere;
    try {
      const offset = this.leases.assign(assigned, this.#source!);
      this.applyPauses();
      return offset;
    } catch (error) {
      this.#consumer.fail(error);
      return nowhere;
    }
  }

  async #revoke(leases: readonly Lease[], deadlineMs: number): Promise<void> {
    const { closeDrain, isClosing, options } = this.#consumer;
    // A close that runs drains and commits them itself: they are ours until it has.
    const closing = closeDrain();
    if (closing !== null) {
      await closing;
      return;
    }
    this.rebalancing = true;
    const { clock, drainTimeoutMs } = options;
    const untilMs = clock.now() + Math.min(deadlineMs, drainTimeoutMs);
    await this.leases.drain(leases, untilMs, false, true);
    if (!isClosing()) this.leases.suspend(leases);
  }
}

/** What a member's start came to that was no error of headrace's own. */
export function startError(cause: unknown): SourceError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SourceError(`Cannot start as the source failed: received ${why}`, { cause });
}
