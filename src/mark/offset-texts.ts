/** Most texts kept for messages that are not committed yet; beyond, the lowest are forgotten. */
const MAX_TEXTS = 10_000;

/**
 * The user's text for the commit metadata (O7).
 *
 * `current`: the latest text given. `exact`: the text attached to the highest committed message.
 */
export class OffsetTexts {
  readonly #exact: boolean;
  /** What holds below all attached texts: the text read at assignment, later the one last committed. */
  #text: string | null;
  /** `exact`: the message that #text was attached to; -1 for the text read at assignment. */
  #textOffset = -1;
  /** `exact`: texts by offset, ascending. */
  #attached: { offset: number; text: string }[] = [];

  /** @param text What was read at assignment. */
  constructor(exact: boolean, text: string | null) {
    this.#exact = exact;
    this.#text = text;
  }

  /** Attaches a text to a message. */
  attach(offset: number, text: string): void {
    if (!this.#exact) {
      this.#text = text;
      return;
    }
    // A message that is marked once more does not take the place of a higher one that is committed.
    if (offset < this.#textOffset) return;
    const attached = this.#attached;
    let at = attached.length;
    while (at > 0 && attached[at - 1]!.offset > offset) at--;
    if (at > 0 && attached[at - 1]!.offset === offset) attached[at - 1] = { offset, text };
    else attached.splice(at, 0, { offset, text });
    if (attached.length > MAX_TEXTS) attached.shift();
  }

  /** The text of a commit of this offset; commits ascend. */
  at(committable: number): string | null {
    let below = 0;
    while (below < this.#attached.length && this.#attached[below]!.offset < committable) below++;
    if (below > 0) {
      this.#text = this.#attached[below - 1]!.text;
      this.#textOffset = this.#attached[below - 1]!.offset;
      this.#attached.splice(0, below);
    }
    return this.#text;
  }
}
