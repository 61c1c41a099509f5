interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/** Bounds the bytes that are inside; who does not fit waits in turn. */
export class BufferGate {
  readonly #maxBytes: number;
  readonly #waiting: Waiter[] = [];
  /** Index of the first that still waits. */
  #head = 0;
  #bytes = 0;
  #admitting = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Someone waits. */
  get full(): boolean {
    return this.#waiting.length > this.#head;
  }

  /** Admits now or later, in the order of the calls. What is larger than the whole gate enters alone. */
  enter(bytes: number, admit: () => void): void {
    this.#waiting.push({ bytes, admit });
    this.#admit();
  }

  /** Admits now, or never: false when it would have to wait. */
  tryEnter(bytes: number): boolean {
    if (this.full || (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Bytes that are inside. */
  get bytes(): number {
    return this.#bytes;
  }

  leave(bytes: number): void {
    this.#bytes -= bytes;
    this.#admit();
  }

  #admit(): void {
    // Who fails at once leaves inside admit(): the loop that runs goes on, so the stack stays flat.
    if (this.#admitting) return;
    this.#admitting = true;
    for (let next = this.#waiting[this.#head]; next; next = this.#waiting[this.#head]) {
      if (this.#bytes > 0 && this.#bytes + next.bytes > this.#maxBytes) break;
      this.#head += 1;
      this.#bytes += next.bytes;
      next.admit();
    }
    // Shifting a long array costs its length: it is cut when most of it is done.
    if (this.#head * 2 >= this.#waiting.length) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
    this.#admitting = false;
  }
}
