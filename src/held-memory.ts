/** Memory that is used again when nobody holds it any more. */
export class HeldMemory {
  #holders: number;
  readonly #free: () => void;

  /**
   * @param holders Who holds it from the start.
   * @param free Called once, when the last holder has released it.
   */
  constructor(holders: number, free: () => void) {
    this.#holders = holders;
    this.#free = free;
  }

  hold(): void {
    this.#holders++;
  }

  /** Once for each holder. */
  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.#free();
  }
}
