/** Milliseconds that the rate looks back. */
const WINDOW_MS = 2000;

/** Speed of a growing count over the last two seconds. */
export class RateMeter {
  readonly #samples: { at: number; value: number }[] = [{ at: performance.now(), value: 0 }];

  /** @returns Counts per second. */
  measure(value: number): number {
    const at = performance.now();
    this.#samples.push({ at, value });
    while (this.#samples.length > 2 && at - this.#samples[1]!.at >= WINDOW_MS)
      this.#samples.shift();
    const first = this.#samples[0]!;
    return ((value - first.value) / Math.max(1, at - first.at)) * 1000;
  }
}
