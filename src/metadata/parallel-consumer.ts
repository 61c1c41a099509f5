import { CompletedOffsets } from "./completed-offsets.ts";

/**
 * Inflates zstd frames.
 *
 * @throws When the bytes are no zstd frames, or come to more than `maxBytes`.
 */
export type InflateZstd = (bytes: Uint8Array, maxBytes: number) => Uint8Array;

/** Largest payload that is inflated: a bitset of 8 million offsets. */
const MAX_INFLATED_BYTES = 1 << 20;
/** Standard base64, whole: that is what it writes, and what keeps other people's text out. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** One of its formats. */
interface Format {
  readonly kind: "bitset" | "runs";
  /** Bytes of a count or of a length, big-endian. */
  readonly width: 2 | 4;
  readonly zstd: boolean;
}

/** By the first byte. Byte arrays ("L", 0xEE) are never written; 1 and 2 are Kafka Streams' own metadata. */
const FORMATS: ReadonlyMap<number, Format> = new Map(
  (
    [
      ["l", { kind: "bitset", width: 2, zstd: false }],
      ["a", { kind: "bitset", width: 2, zstd: true }],
      ["o", { kind: "bitset", width: 4, zstd: false }],
      ["s", { kind: "bitset", width: 4, zstd: true }],
      ["n", { kind: "runs", width: 2, zstd: false }],
      ["J", { kind: "runs", width: 2, zstd: true }],
      ["e", { kind: "runs", width: 4, zstd: false }],
      ["p", { kind: "runs", width: 4, zstd: true }],
    ] as const
  ).map(([letter, format]) => [letter.charCodeAt(0), format]),
);

/**
 * Reads the map of Confluent Parallel Consumer (0.5 and the 0.6 fork), so that a group can move without a replay.
 *
 * There is no checksum in it. So what is not exactly its form is no information, and nothing from the log's end on is
 * believed: a known bug wrote lengths of 2³¹.
 *
 * @param inflate null where the host has no zstd: maps that need it are no information.
 * @returns null when it is no such map. Never throws.
 */
export function readParallelConsumer(
  text: string,
  offset: number,
  logEnd: number,
  inflate: InflateZstd | null,
): CompletedOffsets | null {
  if (!BASE64.test(text)) return null;
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const format = FORMATS.get(bytes[0]!);
  if (format === undefined) return null;
  const payload = inflated(bytes.subarray(1), format, inflate);
  if (payload === null) return null;
  const runs = format.kind === "runs" ? readRuns(payload, format) : readBits(payload, format);
  if (runs === null) return null;
  const span = runs.reduce((sum, length) => sum + length, 0);
  if (offset + span > Number.MAX_SAFE_INTEGER) return null;
  return CompletedOffsets.fromRuns(offset, runs, logEnd);
}

function inflated(
  bytes: Uint8Array,
  format: Format,
  inflate: InflateZstd | null,
): Uint8Array | null {
  if (!format.zstd) return bytes;
  if (inflate === null) return null;
  try {
    const payload = inflate(bytes, MAX_INFLATED_BYTES);
    return payload.length <= MAX_INFLATED_BYTES ? payload : null;
  } catch {
    // Damaged, or a bomb: no information.
    return null;
  }
}

function readNumber(bytes: Uint8Array, at: number, width: number): number {
  let number = 0;
  for (let i = at; i < at + width; i++) number = number * 256 + bytes[i]!;
  return number;
}

/** Lengths in turn: not done, done, not done … */
function readRuns(payload: Uint8Array, { width }: Format): number[] | null {
  if (payload.length === 0 || payload.length % width !== 0) return null;
  const runs: number[] = [];
  for (let at = 0; at < payload.length; at += width) runs.push(readNumber(payload, at, width));
  return runs;
}

/** A count, then one bit per offset, the lowest first; 1 is done. At least one byte of padding follows. */
function readBits(payload: Uint8Array, { width }: Format): number[] | null {
  if (payload.length < width) return null;
  const count = readNumber(payload, 0, width);
  if (width + Math.ceil(count / 8) + 1 > payload.length) return null;
  const runs: number[] = [];
  let done = 0;
  let length = 0;
  for (let i = 0; i < count; i++) {
    const bit = (payload[width + (i >>> 3)]! >>> (i & 7)) & 1;
    if (bit !== done) {
      runs.push(length);
      done = bit;
      length = 0;
    }
    length++;
  }
  runs.push(length);
  return runs;
}
