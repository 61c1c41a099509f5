/** What threads write down for a test, in memory that they share: in order over all threads, and never too late. */
const LENGTH_BYTES = 8;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Entries of any thread, each a value that has JSON. Word 0 of the memory: bytes that are taken. */
export class SharedJournal<T> {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  #readTo = LENGTH_BYTES;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(16 * 2 ** 20)) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
    Atomics.compareExchange(this.#words, 0, 0, LENGTH_BYTES);
  }

  write(entry: T): void {
    const text = encoder.encode(JSON.stringify(entry));
    const size = LENGTH_BYTES + ((text.length + 7) & ~7);
    const at = Atomics.add(this.#words, 0, size);
    if (at + size > this.#bytes.length) throw new RangeError("The journal of the test is full");
    this.#bytes.set(text, at + LENGTH_BYTES);
    // The length comes last: from now on the entry is there.
    Atomics.store(this.#words, at >> 2, text.length);
  }

  /** Entries since the last look; those behind one that is being written come with the next look. */
  read(): T[] {
    const entries: T[] = [];
    for (;;) {
      const length = Atomics.load(this.#words, this.#readTo >> 2);
      if (length === 0) return entries;
      const start = this.#readTo + LENGTH_BYTES;
      entries.push(JSON.parse(decoder.decode(this.#bytes.slice(start, start + length))) as T);
      this.#readTo = start + ((length + 7) & ~7);
    }
  }
}
