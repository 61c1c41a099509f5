/** Waits for calls that may come before, while or after somebody waits. */
export class Wake {
  readonly #signal: AbortSignal;
  #called = false;
  #resolve: () => void = () => {};

  /** @param signal Ends every wait. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.call(), { once: true });
  }

  call(): void {
    this.#called = true;
    this.#resolve();
  }

  /** Forgets calls so far: what they were about is looked at now. */
  reset(): void {
    this.#called = false;
  }

  /** Settles with a call since the last `reset()`, or with the signal. */
  async next(): Promise<void> {
    if (this.#called || this.#signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#resolve = resolve;
    });
  }
}
