import { Lane } from "../lane.ts";
import type { PolledBatch } from "../polled-batch.ts";
import type { HeldKeys } from "./held-keys.ts";
import { ReadyLanes } from "./ready-lanes.ts";

/** Where distribute put the messages of a batch: one run of `batch.order` per lane. */
export interface LaneRuns {
  readonly groupCount: number;
  readonly lanes: Uint32Array;
  readonly starts: Uint32Array;
}

/** What a lane needs to know of its topic. */
export interface LaneRules {
  readonly maxPartitions: number;
  /** Each key is a lane of its own; virtual partitions are slots taken from a free list (D3). */
  readonly perKey: boolean;
  /** Most messages of one call. */
  readonly maxMessages: number;
  /** A lane may wait this long to fill a call (F3); 0: never. */
  readonly maxWaitMs: number;
}

/** A load that keeps new keys away from a lane which waits for a retry (D2). */
const CLOSED_LOAD = 0x40000000;

/**
 * The lanes of one lease: which have work, which may run, and which virtual partition a run has.
 *
 * It starts nothing itself; the scheduler takes ready lanes from it and gives them back.
 */
export class PartitionLanes {
  readonly #rules: LaneRules;
  readonly #perKey: boolean;
  readonly #maxPartitions: number;
  readonly #held: HeldKeys;
  readonly #ready = new ReadyLanes();
  readonly #lanes: Lane[] = [];
  readonly #filling = new Set<Lane>();
  readonly #blocked = new Set<Lane>();
  readonly #parked = new Set<Lane>();
  readonly #freeSlots: number[] = [];
  readonly #loads: Uint32Array;
  /** The lane of ordered runs (P2), apart from all others. */
  readonly #orderedLane = new Lane(0);
  /** Messages in lanes, those of running calls included. */
  length = 0;
  /** Lanes with a running call. */
  running = 0;
  /** Lanes that wait for a retry. */
  waiting = 0;
  /** No message of a filling lane came before this monotonic time. */
  fillingSinceMs: number = Number.POSITIVE_INFINITY;
  /** One call at a time, in offset order: no call waits to be filled. */
  collapsed = false;

  constructor(rules: LaneRules, held: HeldKeys) {
    this.#rules = rules;
    this.#perKey = rules.perKey;
    this.#maxPartitions = rules.maxPartitions;
    this.#held = held;
    this.#loads = new Uint32Array(rules.perKey ? 0 : rules.maxPartitions);
    for (let slot = rules.maxPartitions - 1; rules.perKey && slot >= 0; slot--) {
      this.#freeSlots.push(slot);
    }
  }

  /** True when a call could start now. */
  get hasReady(): boolean {
    return this.#ready.size > 0 && this.running < this.#maxPartitions;
  }

  /** First offset of the lane that is next; -1 without one. */
  get readyOffset(): number {
    return this.#ready.peek()?.headOffset ?? -1;
  }

  get filling(): ReadonlySet<Lane> {
    return this.#filling;
  }

  /** Lanes that wait for a call of an ended lease. */
  get blocked(): number {
    return this.#blocked.size;
  }

  /** Lanes that wait for a worker thread. */
  get parked(): number {
    return this.#parked.size;
  }

  /** Messages per virtual partition, for balanced distribution. */
  loads(): Uint32Array {
    for (const lane of this.#lanes) {
      this.#loads[lane.id] = lane.length + (lane.waiting ? CLOSED_LOAD : 0);
    }
    return this.#loads;
  }

  /** Lanes with messages. */
  *busy(): Iterable<Lane> {
    if (this.#orderedLane.length > 0) yield this.#orderedLane;
    for (const lane of this.#lanes) if (lane.length > 0) yield lane;
  }

  /** Queues a distributed batch. */
  add(batch: PolledBatch, runs: LaneRuns, nowMs: number): void {
    this.length += batch.count;
    for (let group = 0; group < runs.groupCount; group++) {
      const lane = this.#laneOf(runs.lanes[group]!);
      const wasEmpty = lane.length === 0;
      lane.add(batch, runs.starts[group]!, runs.starts[group + 1]!);
      this.#added(lane, wasEmpty, nowMs);
    }
  }

  /** Queues a batch as one ordered run; every other lane is empty. */
  addOrdered(batch: PolledBatch, nowMs: number): void {
    this.length += batch.count;
    this.#orderedLane.add(batch, 0, batch.count);
    this.#added(this.#orderedLane, true, nowMs);
  }

  /** The ready lane whose first message is the oldest, now running. */
  take(): Lane | undefined {
    const lane = this.#ready.pop();
    if (lane === undefined) return undefined;
    lane.running = true;
    this.running++;
    if (this.#perKey) lane.slot = this.#freeSlots.pop()!;
    return lane;
  }

  /** In a collapse: whether the lowest offset of all lanes is ready, and lies below `until`. */
  hasOrdered(until: number): boolean {
    if (this.running > 0) return false;
    const first = this.#ready.peek()?.headOffset ?? until;
    return first < until && first < this.#lowestHeld();
  }

  /** The ready lane with the lowest offset, left where it is. */
  get next(): Lane | undefined {
    return this.#ready.peek();
  }

  /**
   * Lowest offset in any lane that is not marked, running calls included; infinity without such messages.
   *
   * @param isOpen Not marked. Only messages of failed calls can be, and those that run.
   * O(lanes + marked messages at their fronts).
   */
  lowestOpen(isOpen: (batch: PolledBatch, index: number) => boolean): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const lane of this.busy()) lowest = Math.min(lowest, lane.firstOpen(isOpen));
    return lowest;
  }

  /** How many messages the next call of a lane gets in a collapse: up to the next message of another lane (C1). */
  orderedLength(lane: Lane, until: number): number {
    const next = this.#ready.peek()?.headOffset ?? until;
    const bound = Math.min(until, next, this.#lowestHeld());
    let length = 0;
    lane.peek(this.callLength(lane), (batch, index) => {
      if (batch.offsetAt(index) < bound) length++;
    });
    return length;
  }

  /** Lowest offset in lanes that are neither ready nor running: they wait for something. */
  #lowestHeld(): number {
    let lowest = Number.POSITIVE_INFINITY;
    const { waiting } = this;
    if (waiting + this.#blocked.size + this.#filling.size + this.#parked.size === 0) return lowest;
    for (const lane of this.busy()) {
      if (!lane.ready && !lane.running) lowest = Math.min(lowest, lane.firstOffset);
    }
    return lowest;
  }

  /** The run of a lane is over. It goes on when it has more, unless it waits for a retry. */
  give(lane: Lane, nowMs: number): void {
    lane.running = false;
    this.running--;
    if (this.#perKey) this.#freeSlots.push(lane.slot);
    if (lane.waiting) this.waiting++;
    else if (lane.parked) this.#parked.add(lane);
    else if (lane.length > 0) this.#makeReady(lane, nowMs);
  }

  /** There is a worker thread for a lane, or may be. */
  unpark(lane: Lane, nowMs: number): void {
    if (!this.#parked.delete(lane)) return;
    lane.parked = false;
    this.#makeReady(lane, nowMs);
  }

  /** The back-off of a lane is over. */
  retry(lane: Lane, nowMs: number): void {
    lane.waiting = false;
    this.waiting--;
    this.#makeReady(lane, nowMs);
  }

  /** How many messages the next call of a lane gets. */
  callLength(lane: Lane): number {
    const most = lane.retryLength > 0 ? 1 : Math.min(lane.length, this.#rules.maxMessages);
    if (this.#held.empty) return most;
    let length = 0;
    let open = true;
    lane.peek(most, (batch, index) => {
      open = open && !this.#held.blocks(batch, index);
      if (open) length++;
    });
    return length;
  }

  /**
   * Lanes that were filling their call start now (F3: end of the log, budget, pause, drain).
   *
   * @param polledUntilMs Only those whose oldest message came by then.
   */
  startFilling(polledUntilMs: number = Number.POSITIVE_INFINITY): void {
    this.fillingSinceMs = Number.POSITIVE_INFINITY;
    for (const lane of this.#filling) {
      const { polledAtMs } = lane.batch;
      if (polledAtMs > polledUntilMs) {
        this.fillingSinceMs = Math.min(this.fillingSinceMs, polledAtMs);
        continue;
      }
      this.#filling.delete(lane);
      this.#ready.push(lane);
    }
  }

  /** A call of an ended lease has settled: blocked lanes look again. */
  releaseBlocked(nowMs: number): void {
    const lanes = [...this.#blocked];
    this.#blocked.clear();
    for (const lane of lanes) this.#makeReady(lane, nowMs);
  }

  #laneOf(id: number): Lane {
    while (this.#lanes.length <= id) {
      const lane = new Lane(this.#lanes.length);
      lane.slot = this.#rules.perKey ? 0 : lane.id;
      this.#lanes.push(lane);
    }
    return this.#lanes[id]!;
  }

  #added(lane: Lane, wasEmpty: boolean, nowMs: number): void {
    if (wasEmpty) {
      // The lane belonged to another key, whose failures do not count here (Q5).
      if (this.#perKey) lane.failuresInScope = 0;
      this.#makeReady(lane, nowMs);
    } else if (lane.length >= this.#rules.maxMessages && this.#filling.delete(lane)) {
      this.#ready.push(lane);
    }
  }

  #makeReady(lane: Lane, nowMs: number): void {
    if (!this.#held.empty && this.#held.blocks(lane.batch, lane.index)) {
      this.#blocked.add(lane);
      return;
    }
    const { maxMessages, maxWaitMs } = this.#rules;
    if (maxWaitMs > 0 && !this.collapsed && lane.length < maxMessages && lane.retryLength === 0) {
      // The oldest message counts, wherever it has waited until now (F3).
      const { polledAtMs } = lane.batch;
      if (nowMs - polledAtMs < maxWaitMs) {
        this.#filling.add(lane);
        this.fillingSinceMs = Math.min(this.fillingSinceMs, polledAtMs);
        return;
      }
    }
    this.#ready.push(lane);
  }
}
