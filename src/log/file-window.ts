import { Buffer } from "node:buffer";
import { readFully } from "./files.ts";

const WINDOW_BYTES = 1 << 20;

/** A moving view of the first `size` bytes of a file. */
export class FileWindow {
  readonly size: number;
  readonly #fd: number;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.size = size;
  }

  /**
   * `length` bytes at `position`, or undefined when the file ends earlier. Valid until the next
   * call.
   */
  at(position: number, length: number): Buffer | undefined {
    if (position + length > this.size) return undefined;
    if (position < this.#start || position + length > this.#start + this.#bytes.length) {
      const wanted = Math.min(Math.max(length, WINDOW_BYTES), this.size - position);
      const fresh = Buffer.allocUnsafe(wanted);
      this.#bytes = fresh.subarray(0, readFully(this.#fd, fresh, position));
      this.#start = position;
      if (this.#bytes.length < length) return undefined;
    }
    return this.#bytes.subarray(position - this.#start, position - this.#start + length);
  }
}
