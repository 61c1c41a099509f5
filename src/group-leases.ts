import { CommitPosition, type CommittedMap } from "./commit/commit-position.ts";
import type { Committer } from "./commit/committer.ts";
import { multiplyShift } from "./distribute/reducers.ts";
import { SourceError } from "./errors.ts";
import { byMessageKey } from "./known-partitioners.ts";
import { CompletedOffsets } from "./metadata/completed-offsets.ts";
import { decodeMetadata } from "./metadata/decode-metadata.ts";
import { isSameSegmentation, type Segmentation } from "./metadata/segmentation.ts";
import { Pipeline } from "./pipeline.ts";
import type { PipelineHost, PipelineStart } from "./pipeline-host.ts";
import { type LeaseRecord, tellIdle } from "./report.ts";
import { findZstd } from "./runtime/zstd.ts";
import { SegmentInlet } from "./segment-inlet.ts";
import { otherSegmentation } from "./segments/other-segmentation.ts";
import type {
  AssignedLease,
  CommitOutcome,
  CommittedOffset,
  Lease,
  Source,
} from "./source/source.ts";
import { startOffsetOf } from "./start-offset.ts";

/** Kept of a drain deadline for the last commit: what a broker with nothing else to do needs. */
const LAST_COMMIT_MS = 4000;

/** O6: a map that does not fit never takes a partition's budget below so many messages per virtual partition. */
const MIN_BUDGET_PER_LANE = 2;
const NO_ID: Uint8Array = new Uint8Array(0);
const inflateZstd = findZstd();

/** What draining some leases came to. */
export interface DrainReport {
  readonly drained: number;
  readonly abandoned: number;
  /** Leases whose last commit was not stored. */
  readonly uncommitted: readonly Lease[];
}

/** The leases of a consumer: opened, drained and ended as its source says. */
export class GroupLeases {
  readonly #records = new Map<Lease, LeaseRecord>();
  readonly #host: PipelineHost;
  readonly #committer: Committer;
  /** Counts of leases that are gone. */
  processed = 0;
  failed = 0;

  constructor(host: PipelineHost, committer: Committer) {
    this.#host = host;
    this.#committer = committer;
  }

  all(): LeaseRecord[] {
    return [...this.#records.values()];
  }

  of(lease: Lease): LeaseRecord | undefined {
    return this.#records.get(lease);
  }

  find(topic: string, partition: number): LeaseRecord | undefined {
    return this.all().find(
      ({ pipeline: { lease } }) => lease.topic === topic && lease.partition === partition,
    );
  }

  /**
   * Opens a lease where O10 and O11 say.
   *
   * @returns Its start offset.
   * @throws {SourceError} When the committed offset is out of range and `onOutOfRange` is "error".
   */
  assign(assigned: AssignedLease, source: Source): number {
    const { lease, logEnd } = assigned;
    const { topic, partition } = lease;
    const { events, options } = this.#host;
    // A segment's start was stored before it joined (S7): what has none came to be since, and is read whole.
    const isNew = this.#host.member.segment !== null || assigned.groupKnowsTopic;
    const start = startOffsetOf({ ...assigned, groupKnowsTopic: isNew }, options);
    if (start === null) throw outOfRange(assigned);
    const { offset, stored, reset } = start;
    const { committed, topicId = NO_ID } = assigned;
    const context = { offset, logEnd, topicId, inflateZstd };
    // What is reset, or has never been committed, says nothing of what is done (O11).
    const read = decodeMetadata(stored ? (committed?.metadata ?? "") : "", context);
    const { completed, userText: offsetMetadata } = read;
    this.#checkSegmentation(lease, read.segmentation);
    const opening = {
      ...{ offset, gated: !stored, highWatermark: logEnd },
      ...{ completed, offsetMetadata, topicId, paused: false },
    };
    const record = this.#open(lease, opening, source, stored ? committed : null);
    events.emit("assigned", { topic, partition, offset, offsetMetadata });
    if (reset !== null) {
      events.emit("offsetReset", {
        topic,
        partition,
        from: reset.from,
        to: offset,
        reason: reset.reason,
      });
    }
    tellIdle(record);
    // The start is stored before anything is handed out (O10).
    if (!stored) this.#committer.changedNow(record.position);
    return offset;
  }

  /**
   * R11: ends the lease's work and begins anew at an offset, under the same lease.
   *
   * @returns false: the partition is not assigned.
   */
  seek(topic: string, partition: number, offset: number, source: Source): boolean {
    const record = this.find(topic, partition);
    if (record === undefined || record.pipeline.state !== "live") return false;
    const { lease, account, gated, highWatermark, pauses, metadata } = record.pipeline;
    const flowPaused = account.paused || record.segment?.isHeld;
    this.#end(record);
    // What was read at assignment may be long overwritten. Asked at the end, which applies the last results.
    const offsetMetadata = metadata.userText;
    // Still nothing is stored: now this offset is the start that must be, before anything is handed out (O10).
    const opening = {
      ...{ offset, gated, highWatermark, offsetMetadata },
      ...{ completed: CompletedOffsets.none(), topicId: metadata.topicId, paused: pauses.user },
    };
    const opened = this.#open(lease, opening, source, null);
    source.seek(lease, offset);
    if (flowPaused) source.resume(lease);
    // A handler's pause ends with the lease's work; the user's does not.
    if (pauses.paused && !pauses.user) this.#host.events.emit("resumed", { topic, partition });
    this.#committer.changed(opened.position, true);
    return true;
  }

  /**
   * Running calls end, hooks run, what is done is committed: inside the revoke hook, or at close.
   *
   * @param deadlineMs Monotonic time at which running calls are given up.
   * @param commit false: nothing is committed (R8).
   */
  async drain(
    leases: readonly Lease[],
    deadlineMs: number,
    closing: boolean,
    commit: boolean,
  ): Promise<DrainReport> {
    const records = this.#recordsOf(leases);
    const drains = await Promise.all(
      records.map(({ pipeline }) => pipeline.drain(deadlineMs, closing)),
    );
    const { clock } = this.#host.options;
    const positions = records.map(({ position }) => position);
    const untilMs = Math.max(deadlineMs, clock.now()) + LAST_COMMIT_MS;
    const left = commit ? await this.#committer.flush(positions, untilMs) : [];
    const drained = drains.reduce((sum, one) => sum + one.drained, 0);
    const abandoned = drains.reduce((sum, one) => sum + one.abandoned, 0);
    this.#host.events.emit("drained", { drained, abandoned });
    const failed = positions.filter((one) => left.includes(one) || one.refusal !== null);
    return { drained, abandoned, uncommitted: failed.map((one) => one.lease) };
  }

  /** From the end of the revoke hook to the answer of the join nothing is sent (R2). */
  suspend(leases: readonly Lease[]): void {
    for (const { pipeline } of this.#recordsOf(leases)) pipeline.state = "suspended";
  }

  /** The join gave these back. */
  resume(leases: readonly Lease[]): void {
    for (const { pipeline, position, segment } of this.#recordsOf(leases)) {
      pipeline.resume();
      segment?.continue();
      // A fence of the generation before is over, and what was marked since the drain could not be sent.
      position.fenced = false;
      this.#committer.changed(position, true);
    }
  }

  end(leases: readonly Lease[], event: "revoked" | "lost" | null): void {
    for (const record of this.#recordsOf(leases)) {
      const { topic, partition } = record.pipeline.lease;
      const offset = record.pipeline.tracker.committable;
      this.#end(record);
      if (event !== null) this.#host.events.emit(event, { topic, partition, offset });
    }
  }

  #open(
    lease: Lease,
    start: PipelineStart,
    source: Source,
    stored: CommittedOffset | null,
  ): LeaseRecord {
    const topic = this.#host.options.topics.get(lease.topic);
    if (topic === undefined) {
      throw new SourceError(
        `Cannot take a lease as its topic was not asked for: received ${lease.topic}`,
      );
    }
    const { events, member } = this.#host;
    const segment = this.#openInlet(source);
    const pipeline = new Pipeline(this.#host, lease, topic, start, segment ?? source);
    segment?.open(pipeline);
    const position = new CommitPosition(lease, pipeline, stored, {
      stored: (at, map) => this.#stored(pipeline, at, map),
      refused: (outcome, length) => this.#refused(pipeline, outcome, length),
    });
    const inlet = segment ?? pipeline;
    const told = { stalledAtMs: -1, idleAt: -1 };
    const record = { pipeline, inlet, segment, member, events, position, ...told };
    this.#records.set(lease, record);
    return record;
  }

  /** null: the group is no segment. */
  #openInlet(source: Source): SegmentInlet | null {
    const { events, member, options } = this.#host;
    const { segments, clock } = options;
    if (member.segment === null || segments === null) return null;
    const { index, count } = member.segment;
    const { stops, partitioner, reducer } = segments;
    const rule = {
      ...{ index, count, stops },
      partitioner: partitioner === byMessageKey ? null : partitioner,
      reducer: reducer === multiplyShift ? null : reducer,
    };
    return new SegmentInlet(rule, source, events, clock);
  }

  /** S8: who shares messages out in another way must not go on here. */
  #checkSegmentation({ topic, partition }: Lease, found: Segmentation | null): void {
    const { member, options } = this.#host;
    if (member.segment === null || found === null) return;
    const own = { count: member.segment.count, version: options.segments?.version ?? null };
    if (!isSameSegmentation(own, found)) {
      throw otherSegmentation(member.groupId, `${topic}#${partition}`, own, found);
    }
  }

  #stored(pipeline: Pipeline, offset: number, map: CommittedMap): void {
    const { topic, partition } = pipeline.lease;
    const mapSize = map.completed === 0 ? 0 : map.text.length;
    this.#host.events.emit("committed", { topic, partition, offset, mapSize });
    const least = MIN_BUDGET_PER_LANE * pipeline.topic.maxPartitions;
    this.#host.credit.mapFitted(pipeline.account, !map.truncated, least);
    if (!pipeline.gated) return;
    pipeline.gated = false;
    this.#host.scheduler.turn();
  }

  #refused({ lease, metadata }: Pipeline, outcome: CommitOutcome, length: number): void {
    const { topic, partition } = lease;
    if (outcome === "too-large" && length > 0) {
      // Metadata that is too long costs a smaller map, not the commit (O6).
      metadata.refused(length);
      return;
    }
    if (outcome !== "denied" && outcome !== "too-large") return;
    const what = `Cannot commit ${topic}#${partition} as the broker must accept it`;
    this.#host.report(new SourceError(`${what}: received ${outcome}`));
  }

  #end({ pipeline, position, segment }: LeaseRecord): void {
    segment?.end();
    pipeline.end();
    this.#committer.remove(position);
    this.#records.delete(pipeline.lease);
    this.processed += pipeline.processed;
    this.failed += pipeline.failures;
  }

  #recordsOf(leases: readonly Lease[]): LeaseRecord[] {
    return leases.map((lease) => this.of(lease)).filter((record) => record !== undefined);
  }
}

function outOfRange({ lease, committed, logStart, logEnd }: AssignedLease): SourceError {
  return new SourceError(
    `Cannot take ${lease.topic}#${lease.partition} as the committed offset must lie in the log ` +
      `(${logStart} to ${logEnd}): received ${committed?.offset}`,
    { code: "HEADRACE_OUT_OF_RANGE" },
  );
}
