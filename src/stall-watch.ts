import { type ConsumerState, explain, type LeaseRecord } from "./report.ts";
import type { Lease } from "./source/source.ts";
import { Timers } from "./timers.ts";
import type { Clock } from "./types.ts";

/** Timers within the time that a handler may hold the thread: how finely that time is told. */
const BLOCK_CHECKS = 10;

/** Where a stall watch looks, and to whom it speaks. */
export interface StallWatchOptions {
  readonly clock: Clock;
  /** Of all members. */
  readonly leases: { all(): LeaseRecord[]; of(lease: Lease): LeaseRecord | undefined };
  /** Time with work and no mark after which a partition is stalled (X2). */
  readonly stallMs: number;
  readonly state: () => ConsumerState;
}

/** Emits `stalled` when a partition marks nothing (X2), or when something holds the thread too long (R1). */
export class StallWatch {
  readonly #options: StallWatchOptions;
  readonly #timers: Timers;

  constructor(options: StallWatchOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  /** @param sessionTimeoutMs The group's, where the source has one: heartbeats stand still while the thread is held. */
  start(sessionTimeoutMs: number | undefined): void {
    this.#every(this.#options.stallMs / 4, () => this.#checkProgress());
    if (sessionTimeoutMs === undefined) return;
    const limitMs = sessionTimeoutMs / 3;
    const everyMs = limitMs / BLOCK_CHECKS;
    // A timer is late by how long the thread was held, less at most the time between two of them.
    this.#every(everyMs, (lateMs) => {
      if (lateMs >= limitMs - everyMs) this.#reportBlocked();
    });
  }

  stop(): void {
    this.#timers.clear();
  }

  #every(ms: number, act: (lateMs: number) => void): void {
    const { clock } = this.#options;
    const dueMs = clock.now() + ms;
    this.#timers.set(ms, () => {
      this.#every(ms, act);
      act(clock.now() - dueMs);
    });
  }

  /** One event for each time that a partition with work stands still. */
  #checkProgress(): void {
    const { leases, state, stallMs } = this.#options;
    const { nowMs } = state();
    for (const record of leases.all()) {
      const { pipeline, segment } = record;
      // What a held segment has polled is not in the pipeline yet.
      const isHeld = segment?.isHeld === true;
      if (pipeline.tracker.openCount === 0 && !isHeld) pipeline.progressMs = nowMs;
      if (nowMs - pipeline.progressMs < stallMs) continue;
      if (record.stalledAtMs === pipeline.progressMs) continue;
      record.stalledAtMs = pipeline.progressMs;
      this.#emit(record, null);
    }
  }

  /** Emits `stalled` for a lease. */
  report(lease: Lease, kind: string): void {
    const record = this.#options.leases.of(lease);
    if (record !== undefined) this.#emit(record, kind);
  }

  /** The partition that ran last is the one whose handler did not give the thread back. */
  #reportBlocked(): void {
    let last: LeaseRecord | null = null;
    for (const record of this.#options.leases.all()) {
      if (last === null || record.pipeline.sliceStartMs > last.pipeline.sliceStartMs) last = record;
    }
    if (last !== null) this.#emit(last, "blocked");
  }

  #emit(record: LeaseRecord, kind: string | null): void {
    const explanation = explain(record, this.#options.state());
    const { topic, partition, reason } = explanation;
    record.events.emit("stalled", { topic, partition, kind: kind ?? reason, explanation });
  }
}
