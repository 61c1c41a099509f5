/** The collapse of one period, as the rules put it (E2, E6). */
export class CollapseModel {
  phase: "none" | "gathering" | "ordered" = "none";
  /** End of the window, exclusive; -1 while it is not set. */
  until = -1;
  /** No call starts before: the back-off of the window, or of a failure in it. */
  waitUntilMs = 0;
  /** Failures since the collapsed partition last made progress (Q5). */
  failures = 0;
  /** Some call has failed, and the window is not set yet. */
  failed = false;
  /** Highest attempt among the failures that are gathered. */
  #attempt = 1;

  /** A call has failed in parallel: all that fail before the window is set count as one. */
  fail(attempt: number): void {
    if (!this.failed) this.failures++;
    this.failed = true;
    this.#attempt = Math.max(this.#attempt, attempt);
    this.phase = "gathering";
  }

  /** `collapseUntil()` with an offset that is not passed. */
  request(offset: number): void {
    this.until = Math.max(this.until, offset + 1);
    if (this.phase === "none") this.phase = "gathering";
  }

  /** No call runs any more. @returns The attempt whose back-off comes first; 0: none. */
  set(highestStarted: number): number {
    const attempt = this.failed ? this.#attempt : 0;
    if (this.failed) this.until = Math.max(this.until, highestStarted + 1);
    this.phase = "ordered";
    this.failed = false;
    this.#attempt = 1;
    return attempt;
  }

  end(): void {
    this.phase = "none";
    this.until = -1;
    this.failures = 0;
  }
}
