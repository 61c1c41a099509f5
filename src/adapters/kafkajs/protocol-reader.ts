/** Reads Kafka's embedded consumer protocol, as other members wrote it. */

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The smallest array item, a string without characters, has two bytes. */
const MIN_ITEM_BYTES = 2;

/**
 * Big-endian integers; strings, bytes and arrays with their length before them.
 *
 * Every method throws a `RangeError` when the bytes end too early or a length cannot be, and
 * `string()` a `TypeError` for what is no UTF-8: foreign bytes never cost more memory than they
 * have.
 */
export class ProtocolReader {
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  int16(): number {
    const value = this.#view.getInt16(this.#at);
    this.#at += 2;
    return value;
  }

  int32(): number {
    const value = this.#view.getInt32(this.#at);
    this.#at += 4;
    return value;
  }

  string(): string {
    return decoder.decode(this.#take(this.int16()));
  }

  /** A view, not a copy. A length of -1 stands for none. */
  bytes(): Uint8Array {
    const length = this.int32();
    return this.#take(length === -1 ? 0 : length);
  }

  array<T>(item: () => T): T[] {
    const length = this.int32();
    if (length < 0 || length * MIN_ITEM_BYTES > this.#view.byteLength - this.#at) {
      throw new RangeError(`Cannot read an array as it must fit the bytes: received ${length}`);
    }
    return Array.from({ length }, item);
  }

  #take(length: number): Uint8Array {
    const { buffer, byteOffset, byteLength } = this.#view;
    if (length < 0 || length > byteLength - this.#at) {
      throw new RangeError(`Cannot read bytes as they must be there: received length ${length}`);
    }
    const bytes = new Uint8Array(buffer, byteOffset + this.#at, length);
    this.#at += length;
    return bytes;
  }
}
