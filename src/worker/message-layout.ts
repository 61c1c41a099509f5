/**
 * How the messages of a call lie in memory:
 *
 *     record 0 │ record 1 │ … │ bytes of keys, values and headers
 *
 * A record is 40 bytes: offset and timestamp (doubles), then where the key, the value and the headers are, from the start
 * of the call's memory, each with its length, −1 for null or none. Headers are their count, then the length of each name,
 * its UTF-8 bytes, the length of the value and its bytes, all lengths 4 bytes at multiples of 4.
 */
import type { PlainRecord } from "../plain-record.ts";
import type { FrameMemory } from "./frame-memory.ts";

export const RECORD_BYTES = 40;

/** Words of a record, counted from its beginning. */
export const KEY_WORD = 4;
export const VALUE_WORD = 6;
const HEADERS_WORD = 8;
const NOTHING = -1;

const encoder: TextEncoder = new TextEncoder();
const MAX_BYTES_PER_UNIT = 3;
/** From this length on it pays to copy between addresses that agree modulo 8. */
const ALIGNED_FROM_BYTES = 64;

const NO_PAIRS: readonly (readonly [string, Uint8Array])[] = [];

/** Bytes that a record and what belongs to it take, at most. */
export function recordBytes({ key, value, headers }: PlainRecord): number {
  let bytes =
    RECORD_BYTES + (key === null ? 0 : roomOf(key)) + (value === null ? 0 : roomOf(value));
  if (headers.length === 0) return bytes;
  bytes += 4 + 3;
  for (const [name, content] of headers) {
    bytes += name.length * MAX_BYTES_PER_UNIT + content.length + 8 + 6;
  }
  return bytes;
}

function roomOf(bytes: Uint8Array): number {
  return bytes.length < ALIGNED_FROM_BYTES ? bytes.length : bytes.length + 7;
}

/** Writes the messages of a call, one after the other. Reused from call to call. */
export class RecordWriter {
  #memory: FrameMemory | null = null;
  #start = 0;
  #record = 0;
  #at = 0;

  /** @param start A multiple of 8. */
  begin(memory: FrameMemory, start: number, count: number): void {
    this.#memory = memory;
    this.#start = start;
    this.#record = start;
    this.#at = start + count * RECORD_BYTES;
  }

  add({ offset, timestamp, key, value, headers }: PlainRecord): void {
    const { floats } = this.#memory!;
    const record = this.#record;
    floats[record >> 3] = offset;
    floats[(record >> 3) + 1] = timestamp;
    const words = record >> 2;
    this.#putBytes(words + KEY_WORD, key);
    this.#putBytes(words + VALUE_WORD, value);
    this.#putHeaders(words + HEADERS_WORD, headers);
    this.#record = record + RECORD_BYTES;
  }

  #putBytes(word: number, bytes: Uint8Array | null): void {
    const { words } = this.#memory!;
    if (bytes === null) {
      words[word + 1] = NOTHING;
      return;
    }
    const { length } = bytes;
    // V8 copies into shared memory several times faster between addresses that agree modulo 8.
    if (length >= ALIGNED_FROM_BYTES) this.#at += (bytes.byteOffset - this.#at) & 7;
    words[word] = this.#at - this.#start;
    words[word + 1] = length;
    this.#memory!.bytes.set(bytes, this.#at);
    this.#at += length;
  }

  #putHeaders(word: number, headers: PlainRecord["headers"]): void {
    const { words } = this.#memory!;
    if (headers.length === 0) {
      words[word + 1] = NOTHING;
      return;
    }
    this.#align();
    const from = this.#at;
    words[from >> 2] = headers.length;
    this.#at += 4;
    for (const [name, value] of headers) {
      const { written } = encoder.encodeInto(name, this.#memory!.bytes.subarray(this.#at + 4));
      this.#endPart(written);
      this.#memory!.bytes.set(value, this.#at + 4);
      this.#endPart(value.length);
    }
    words[word] = from - this.#start;
    words[word + 1] = this.#at - from;
  }

  #endPart(length: number): void {
    this.#memory!.words[this.#at >> 2] = length;
    this.#at += 4 + length;
    this.#align();
  }

  #align(): void {
    this.#at = (this.#at + 3) & ~3;
  }
}

const decoder: TextDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes that a record names, in place; null for null. */
export function readBytes(
  { words, bytes }: FrameMemory,
  start: number,
  record: number,
  word: number,
): Uint8Array | null {
  const at = (record >> 2) + word;
  const length = words[at + 1]!;
  if (length === NOTHING) return null;
  const from = start + words[at]!;
  return bytes.subarray(from, from + length);
}

/** The headers of a record; their values in place. */
export function readHeaders(
  { words, bytes }: FrameMemory,
  start: number,
  record: number,
): readonly (readonly [name: string, value: Uint8Array])[] {
  const word = (record >> 2) + HEADERS_WORD;
  if (words[word + 1] === NOTHING) return NO_PAIRS;
  let at = start + words[word]!;
  const pairs: [string, Uint8Array][] = [];
  const part = (): Uint8Array => {
    const from = at + 4;
    const end = from + words[at >> 2]!;
    at = (end + 3) & ~3;
    return bytes.subarray(from, end);
  };
  const count = words[at >> 2]!;
  at += 4;
  for (let left = count; left > 0; left--) pairs.push([decoder.decode(part()), part()]);
  return pairs;
}
