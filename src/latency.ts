import type { Latency } from "./stats.ts";

const SAMPLES = 512;

/** The last 512 samples of something rare, for percentiles on request. */
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
