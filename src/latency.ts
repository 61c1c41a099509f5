import type { PolledBatch } from "./polled-batch.ts";
import type { Latency } from "./stats.ts";
import type { Clock } from "./types.ts";

const SAMPLES = 512;

/** The last samples of a latency, for percentiles on request. */
export class LatencySamples {
  readonly #samples = new Float64Array(SAMPLES);
  #count = 0;

  add(ms: number): void {
    this.#samples[this.#count++ % SAMPLES] = ms;
  }

  summary(): Latency {
    const size = Math.min(this.#count, SAMPLES);
    if (size === 0) return { p50: null, p99: null, max: null };
    const sorted = this.#samples.slice(0, size).sort();
    const at = (share: number): number => sorted[Math.min(size - 1, Math.floor(size * share))]!;
    return { p50: at(0.5), p99: at(0.99), max: sorted[size - 1]! };
  }
}

/** Both latencies of a lease. */
export class CallLatencies {
  /** Call start − message timestamp. */
  readonly consumption: LatencySamples = new LatencySamples();
  /** Call start − poll. */
  readonly processing: LatencySamples = new LatencySamples();

  add(batch: PolledBatch, index: number, clock: Clock, nowMs: number): void {
    this.processing.add(nowMs - batch.polledAtMs);
    this.consumption.add(clock.wallTime() - batch.records.timestampAt(index));
  }
}
