/** The user's text of one period's commits (O7). */
export class TextModel {
  readonly #exact: boolean;
  /** Text read at assignment, later the latest (`current`), or that of what was committed (`exact`). */
  #text: string | null;
  #offset = -1;
  readonly #attached = new Map<number, string>();

  constructor(exact: boolean, text: string | null) {
    this.#exact = exact;
    this.#text = text;
  }

  attach(offset: number, text: string): void {
    if (this.#exact) this.#attached.set(offset, text);
    else this.#text = text || null;
  }

  /** What a commit of this offset carries; commits ascend. */
  at(committable: number): string | null {
    for (const [offset, text] of this.#attached) {
      if (offset >= committable || offset < this.#offset) continue;
      this.#offset = offset;
      this.#text = text || null;
    }
    return this.#text;
  }
}
