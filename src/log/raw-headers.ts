import type { Buffer } from "node:buffer";
import type { MessageHeaders } from "../types.ts";
import { readU16, readU32 } from "./integers.ts";

type Entries = readonly (readonly [name: string, value: Uint8Array])[];

/**
 * Headers of one record, parsed from `bytes[start, end)` when first asked for. Bounds are those of
 * a checked frame.
 */
export class RawHeaders implements MessageHeaders {
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;
  #entries: Entries | undefined;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  get(name: string): Uint8Array | null {
    return this.entries().find(([known]) => known === name)?.[1] ?? null;
  }

  text(name: string): string | null {
    return (this.get(name) as Buffer | null)?.toString() ?? null;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  entries(): Entries {
    this.#entries ??= this.#parse();
    return this.#entries;
  }

  #parse(): Entries {
    const bytes = this.#bytes;
    const entries: [string, Uint8Array][] = [];
    // The checksum vouches for the lengths; subarray() clamps what would still run past the record.
    for (let at = this.#start; at + 6 <= this.#end; ) {
      const valueAt = at + 2 + readU16(bytes, at);
      const name = bytes.toString("utf8", at + 2, valueAt);
      const next = valueAt + 4 + readU32(bytes, valueAt);
      entries.push([name, bytes.subarray(valueAt + 4, Math.min(next, this.#end))]);
      at = next;
    }
    return entries;
  }
}
