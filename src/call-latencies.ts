import { LatencyHistogram, percentile } from "./latency-histogram.ts";
import type { PolledBatch } from "./polled-batch.ts";
import type { Latency } from "./stats.ts";

/** A window is as long; two of them are looked at. */
const WINDOW_MS = 30_000;

/** Two histograms that take turns, so that old values are forgotten. */
class RecentLatency {
  #current = new LatencyHistogram();
  #previous = new LatencyHistogram();

  add(ms: number): void {
    this.#current.add(ms);
  }

  turn(): void {
    const forgotten = this.#previous;
    this.#previous = this.#current;
    this.#current = forgotten;
    forgotten.clear();
  }

  summary(): Latency {
    const one = this.#current;
    const other = this.#previous;
    const max = one.count + other.count === 0 ? null : Math.max(one.greatest, other.greatest);
    return { p50: percentile(0.5, one, other), p99: percentile(0.99, one, other), max };
  }
}

/**
 * Both latencies of a lease, over the last 30 to 60 seconds in which calls were sampled.
 *
 * A window ends with the first sample that comes later than 30 s after its own first one. So a quiet partition keeps
 * its last figures, and a new lease begins without any. At most 10 KB.
 */
export class CallLatencies {
  /** Call start − message timestamp. */
  readonly #consumption = new RecentLatency();
  /** Call start − poll. */
  readonly #processing = new RecentLatency();
  #windowEndMs = Number.NEGATIVE_INFINITY;
  #sampledMs = Number.NEGATIVE_INFINITY;
  #wallAheadMs = 0;

  /**
   * Calls are about to start: the first one is sampled.
   *
   * @param nowMs Monotonic.
   * @param wallTimeMs The same moment, since the epoch.
   */
  begin(nowMs: number, wallTimeMs: number): void {
    this.#sampledMs = Number.NEGATIVE_INFINITY;
    this.#wallAheadMs = wallTimeMs - nowMs;
  }

  /**
   * Samples a call by its first message, which has waited longest. Once per read of the clock, not per message (H4).
   *
   * @param startMs Monotonic, the last read of the clock before the call.
   */
  sample(batch: PolledBatch, index: number, startMs: number): void {
    if (startMs <= this.#sampledMs) return;
    this.#sampledMs = startMs;
    if (startMs >= this.#windowEndMs) this.#beginWindow(startMs);
    this.#processing.add(startMs - batch.polledAtMs);
    const timestampMs = batch.records.timestampAt(index);
    // Records of old producers may have none.
    if (timestampMs >= 0) this.#consumption.add(startMs + this.#wallAheadMs - timestampMs);
  }

  get consumption(): Latency {
    return this.#consumption.summary();
  }
  get processing(): Latency {
    return this.#processing.summary();
  }

  #beginWindow(nowMs: number): void {
    // After a long silence both windows are old.
    const turns = nowMs >= this.#windowEndMs + WINDOW_MS ? 2 : 1;
    for (let turn = 0; turn < turns; turn++) {
      this.#consumption.turn();
      this.#processing.turn();
    }
    this.#windowEndMs = nowMs + WINDOW_MS;
  }
}
