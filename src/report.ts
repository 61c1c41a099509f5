import type { CommitPosition } from "./commit/commit-position.ts";
import type { Events } from "./events.ts";
import type { Lane } from "./lane.ts";
import type { Pipeline } from "./pipeline.ts";
import type { MemberFacts } from "./pipeline-host.ts";
import type { Scheduler } from "./schedule/scheduler.ts";
import type { Inlet, SegmentInlet } from "./segment-inlet.ts";
import type { Explanation, ExplanationReason, PartitionStats, StatsPlace } from "./stats.ts";
import type { Clock, TopicPartition } from "./types.ts";

/** A lease with its halves. */
export interface LeaseRecord {
  readonly pipeline: Pipeline;
  /** What is polled goes in there. */
  readonly inlet: Inlet;
  /** The inlet, where it belongs to a segment. */
  readonly segment: SegmentInlet | null;
  readonly member: MemberFacts;
  /** Of its member. */
  readonly events: Events;
  readonly position: CommitPosition;
  /** The last `stalled` event was for this progress time. */
  stalledAtMs: number;
  /** The last `idle` event was for this end of the log. */
  idleAt: number;
}

/** What the whole consumer says to an explanation. */
export interface ConsumerState {
  readonly slotsTaken: boolean;
  readonly nowMs: number;
}

/** What holds for all partitions now. */
export function consumerState(scheduler: Scheduler, clock: Clock): ConsumerState {
  return { slotsTaken: scheduler.running >= scheduler.concurrency, nowMs: clock.now() };
}

/** A partition as the member's user sees it. */
export function placeOf({ topic, partition }: TopicPartition, member: MemberFacts): StatsPlace {
  const { groupId, segment } = member;
  return segment === null ? { topic, partition } : { topic, partition, groupId, segment };
}

/** An `idle` event, the first time that everything up to this end of the log was polled and its calls have ended. */
export function tellIdle(record: LeaseRecord): void {
  const { lease, tracker, highWatermark, unfinished } = record.pipeline;
  const { nextOffset: offset } = tracker;
  if (highWatermark < 0 || offset < highWatermark || unfinished > 0) return;
  if (record.idleAt === offset) return;
  record.idleAt = offset;
  const { topic, partition } = lease;
  record.events.emit("idle", { topic, partition, offset });
}

/** The numbers of one partition. */
export function partitionStats({ pipeline, position, member }: LeaseRecord): PartitionStats {
  const { lease, lanes, tracker, highWatermark } = pipeline;
  let lanesBusy = 0;
  let busiest: Lane | null = null;
  for (const lane of lanes.busy()) {
    lanesBusy++;
    if (busiest === null || lane.length > busiest.length) busiest = lane;
  }
  const inFlight = pipeline.processor.pendingMessages;
  const { until } = pipeline.recovery.collapse;
  const from = position.stored ?? tracker.committable;
  // A hole at the end was passed after the fetch that said where the end was.
  const knownEnd = Math.max(highWatermark, tracker.nextOffset);
  return {
    ...placeOf(lease, member),
    queued: pipeline.unfinished - inFlight,
    inFlight,
    unacknowledged: pipeline.marking.unacknowledged,
    committed: position.stored,
    committable: tracker.committable,
    lag: highWatermark < 0 ? null : Math.max(0, knownEnd - from),
    mapSize: position.map.completed === 0 ? 0 : position.map.text.length,
    mapTruncated: position.map.truncated,
    collapsedUntil: until < 0 ? null : until,
    lanes: lanesBusy,
    busiestLane:
      busiest === null ? null : { virtualPartition: busiest.slot, messages: busiest.length },
    consumptionLatencyMs: pipeline.latencies.consumption,
    processingLatencyMs: pipeline.latencies.processing,
  };
}

/** Why a partition moves or does not (X1): the first reason that holds, the most binding first. */
export function explain(record: LeaseRecord, state: ConsumerState): Explanation {
  const { pipeline } = record;
  const { reason, ...details } = reasonOf(record, state);
  const open = pipeline.tracker.openCount > 0;
  const hole = open ? { offset: pipeline.tracker.committable, ...ageOf(record, state) } : {};
  return { ...placeOf(pipeline.lease, record.member), reason, ...hole, ...details };
}

/** Age of the oldest message in a lane, from its poll. */
function ageOf({ pipeline }: LeaseRecord, { nowMs }: ConsumerState): { ageMs?: number } {
  let oldest = Number.POSITIVE_INFINITY;
  for (const lane of pipeline.lanes.busy()) oldest = Math.min(oldest, lane.batch.polledAtMs);
  return oldest === Number.POSITIVE_INFINITY ? {} : { ageMs: nowMs - oldest };
}

type Reason = { reason: ExplanationReason } & Partial<Explanation>;

function reasonOf(record: LeaseRecord, state: ConsumerState): Reason {
  const { pipeline, position, segment, member } = record;
  const { lanes, account } = pipeline;
  if (pipeline.state === "suspended") return { reason: "suspended" };
  if (pipeline.state !== "live") return { reason: "rebalancing" };
  if (pipeline.pauses.paused) return { reason: "paused" };
  if (position.refusal !== null) return { reason: "commit-failing", error: position.refusal };
  if (pipeline.mapFull) return { reason: "map-full" };
  if (pipeline.unmarkedFull) return { reason: "unacknowledged" };
  if (pipeline.gated) return { reason: "commit-failing", error: "the start is not stored yet" };
  const { sourceError } = member;
  if (sourceError !== null) return { reason: "source-error", error: sourceError };
  const heldBy = segment?.heldBy ?? null;
  if (heldBy !== null) return { reason: "back-off", error: heldBy };
  const { collapse, dispatches } = pipeline.recovery;
  if (dispatches.error !== null) return { reason: "dead-letter-retry", error: dispatches.error };
  if (collapse.phase === "waiting") return { reason: "back-off" };
  if (collapse.phase !== "none") return { reason: "collapsed" };
  const noSlot = state.slotsTaken || !pipeline.processor.hasRoom;
  if (lanes.hasReady) return { reason: noSlot ? "no-slot" : "moving" };
  if (lanes.running > 0) {
    if (pipeline.intake.keyBoundShare !== null) {
      return { reason: "key-bound", share: pipeline.intake.keyBoundShare };
    }
    return { ...oldestCall(pipeline, state.nowMs) };
  }
  if (lanes.waiting > 0) return { reason: "back-off" };
  if (lanes.parked > 0) return { reason: "no-slot" };
  if (account.paused) return { reason: "budget" };
  if (pipeline.unfinished > 0) return { reason: "moving" };
  return { reason: "end-of-log" };
}

function oldestCall(pipeline: Pipeline, nowMs: number): Reason {
  let oldest = Number.POSITIVE_INFINITY;
  let offset = pipeline.tracker.committable;
  for (const call of pipeline.processor.pending) {
    if (call.startedMs >= oldest || call.lane === null) continue;
    oldest = call.startedMs;
    offset = call.lane.firstOffset;
  }
  return { reason: "handler-running", offset, ageMs: Math.max(0, nowMs - oldest) };
}
