import { invariant } from "../invariant.ts";
import { BitReader } from "./bit-reader.ts";
import { BitWriter } from "./bit-writer.ts";
import { RiceContext } from "./rice-context.ts";

/** Number of this form of map bytes; another form would get another one. */
export const MAP_FORM = 1;

/** Most offsets that a map spans; a position is never farther past the committed offset (F4). */
const MAX_SPAN = 2 ** 32 - 1;
/** Flag bit of each form. */
const FLAG = { runs: 0, gaps: 1 } as const;
/** What lengths are expected to be, before the first is seen. */
const EXPECTED = { notDone: 0, done: 32, gap: 16 } as const;

/** Map bytes, and what they say. */
export interface EncodedRuns {
  /** Empty when nothing done fits. */
  readonly bytes: Uint8Array;
  /** Done offsets that the bytes carry. */
  readonly completed: number;
  /** Whether done offsets had to be left out, at the top. */
  readonly truncated: boolean;
}

interface Draft {
  readonly writer: BitWriter;
  completed: number;
  whole: boolean;
}

/**
 * Writes alternating lengths of not done and done offsets in as few bytes as it can, the lowest that fit.
 *
 *     flag  0: run, run, run …   not done, done, not done, done …, in two contexts
 *           1: gap, gap, gap …   done offsets in front of each offset that is not done, and behind the last
 *
 * Gaps win where single offsets are open, runs where open offsets come together; what is shorter is taken.
 *
 * @param runs Lengths in offsets: not done (may be 0 at the very start), done, not done, done …
 * @param maxBytes Room for the answer.
 * @throws {InvariantError} When a run is empty that must not be.
 * O(runs that fit): an open offset costs a bit at least, so there are never more than `maxBytes * 8` of either.
 */
export function encodeRuns(runs: ArrayLike<number>, maxBytes: number): EncodedRuns {
  const maxBits = maxBytes * 8 - 1;
  if (runs.length < 2 || maxBits < 1) {
    return { bytes: new Uint8Array(0), completed: 0, truncated: runs.length > 1 };
  }
  const asRuns = writeRuns(runs, maxBytes, maxBits);
  const enough = asRuns.whole ? asRuns.writer.bitCount : maxBits;
  const asGaps = writeGaps(runs, maxBytes, enough);
  const gapsWin = asGaps.whole || asGaps.completed > asRuns.completed;
  const { writer, completed, whole } = gapsWin ? asGaps : asRuns;
  const bytes = completed === 0 ? new Uint8Array(0) : writer.finish();
  return { bytes, completed, truncated: !whole };
}

function writeRuns(runs: ArrayLike<number>, maxBytes: number, maxBits: number): Draft {
  const writer = new BitWriter(maxBytes);
  const notDone = new RiceContext(EXPECTED.notDone);
  const done = new RiceContext(EXPECTED.done);
  writer.write(FLAG.runs, 1);
  let completed = 0;
  let span = 0;
  // A run that is not done says nothing without the done one behind it: both or none.
  for (let i = 0; i + 1 < runs.length; i += 2) {
    // Only the very first may be empty; all others are at least 1.
    const low = runs[i]! - (i === 0 ? 0 : 1);
    const high = runs[i + 1]! - 1;
    invariant(low >= 0 && high >= 0, "a run holds one offset at least");
    span += runs[i]! + runs[i + 1]!;
    const bits = writer.bitCount + notDone.cost(low) + done.cost(high);
    if (span > MAX_SPAN || bits > maxBits) return { writer, completed, whole: false };
    notDone.write(writer, low);
    done.write(writer, high);
    completed += high + 1;
  }
  return { writer, completed, whole: true };
}

function writeGaps(runs: ArrayLike<number>, maxBytes: number, maxBits: number): Draft {
  const writer = new BitWriter(maxBytes);
  const gap = new RiceContext(EXPECTED.gap);
  writer.write(FLAG.gaps, 1);
  let completed = 0;
  let span = 0;
  for (let i = 0; i + 1 < runs.length; i += 2) {
    span += runs[i]! + runs[i + 1]!;
    if (span > MAX_SPAN) return { writer, completed, whole: false };
    // The gap in front of a run's first offset is the done run below it; at the very start there is none.
    let empty = runs[i]! - (i === 0 ? 0 : 1);
    for (; empty > 0 && writer.bitCount + gap.cost(0) <= maxBits; empty--) gap.write(writer, 0);
    const fits = empty <= 0 && writer.bitCount + gap.cost(runs[i + 1]!) <= maxBits;
    if (!fits) return { writer, completed, whole: false };
    gap.write(writer, runs[i + 1]!);
    completed += runs[i + 1]!;
  }
  return { writer, completed, whole: true };
}

/**
 * Reads what `encodeRuns` wrote.
 *
 * @returns The runs, an even number; null when no `encodeRuns` wrote these bytes, or their sum is 2³² or more.
 * O(bits): every value takes a bit at least.
 */
export function decodeRuns(bytes: Uint8Array): number[] | null {
  if (bytes.length === 0) return [];
  const reader = new BitReader(bytes);
  if (!reader.isWhole) return null;
  return reader.read(1) === FLAG.gaps ? readGaps(reader) : readRuns(reader);
}

function readRuns(reader: BitReader): number[] | null {
  const runs: number[] = [];
  const notDone = new RiceContext(EXPECTED.notDone);
  const done = new RiceContext(EXPECTED.done);
  let span = 0;
  while (reader.remaining > 0) {
    const low = notDone.read(reader);
    const high = low < 0 ? -1 : done.read(reader);
    if (high < 0) return null;
    const first = runs.length === 0 ? low : low + 1;
    runs.push(first, high + 1);
    span += first + high + 1;
    if (span > MAX_SPAN) return null;
  }
  return runs;
}

function readGaps(reader: BitReader): number[] | null {
  const runs: number[] = [];
  const gap = new RiceContext(EXPECTED.gap);
  let notDone = 0;
  let span = 0;
  while (reader.remaining > 0) {
    const done = gap.read(reader);
    if (done < 0) return null;
    span += done + 1;
    if (span > MAX_SPAN + 1) return null;
    if (done > 0) {
      runs.push(notDone, done);
      notDone = 0;
    }
    notDone++;
  }
  // Zeros at the end are what was written of a run that did not fit: not done, like all above a map.
  return runs;
}
