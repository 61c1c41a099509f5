import type { Way } from "./ring-way.ts";

/** What one run of a way came to. */
export interface RingResult {
  readonly jobs: number;
  readonly seconds: number;
  /** Milliseconds from the sending of a job to its answer, one job per lot of answers. */
  readonly latencies: readonly number[];
}

const MAX_LATENCIES = 20_000;

/** Keeps `window` jobs on their way for a while. Throws when an answer is wrong, missing or out of order. */
export class RingRun {
  readonly #way: Way;
  readonly #window: number;
  readonly #untilMs: number;
  readonly #startMs: number = performance.now();
  readonly #sentMs: Float64Array;
  readonly #latencies: number[] = [];
  #sent = 0;
  #answered = 0;
  /** Answered, and the next lot not sent. */
  #open: number;
  #finish: (result: RingResult) => void = () => {};
  #fail: (error: Error) => void = () => {};
  readonly result: Promise<RingResult> = new Promise((resolve, reject) => {
    this.#finish = resolve;
    this.#fail = reject;
  });

  constructor(way: Way, window: number, ms: number) {
    this.#way = way;
    this.#window = window;
    this.#untilMs = this.#startMs + ms;
    this.#sentMs = new Float64Array(window);
    this.#open = window;
  }

  answer(id: number, value: number): void {
    if (id !== this.#answered || value !== this.#way.expected(id)) {
      this.#fail(
        new Error(`Cannot use this run: answer ${value} to job ${id} as ${this.#answered}`),
      );
      return;
    }
    this.#answered++;
    this.#open++;
    this.#way.answered?.();
  }

  /** Sends as many jobs as were answered: together, so that what can be batched is. */
  next(): void {
    if (this.#open === 0) return;
    const nowMs = performance.now();
    const oldest = this.#answered - this.#open;
    if (this.#sent > 0 && oldest >= 0 && this.#latencies.length < MAX_LATENCIES) {
      this.#latencies.push(nowMs - this.#sentMs[oldest % this.#window]!);
    }
    if (nowMs >= this.#untilMs) {
      this.#open = 0;
      if (this.#answered === this.#sent) this.#end(nowMs);
      return;
    }
    const count = this.#open;
    const first = this.#sent;
    for (let id = first; id < first + count; id++) this.#sentMs[id % this.#window] = nowMs;
    this.#sent += count;
    this.#open = 0;
    this.#way.send(first, count);
  }

  #end(nowMs: number): void {
    const seconds = (nowMs - this.#startMs) / 1000;
    this.#finish({ jobs: this.#answered, seconds, latencies: this.#latencies });
  }
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
