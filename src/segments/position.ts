import { CompletedOffsets } from "../metadata/completed-offsets.ts";
import { decodeMetadata, type MapGuard } from "../metadata/decode-metadata.ts";
import { type EncodedMetadata, encodeMetadata } from "../metadata/encode-metadata.ts";
import type { Segmentation } from "../metadata/segmentation.ts";
import { findZstd } from "../runtime/zstd.ts";
import type { CommittedOffset } from "../source/source.ts";

const NO_ID: Uint8Array = new Uint8Array(0);
const inflateZstd = findZstd();

/** Where a group is in a partition: all offsets below `offset` are done, and some above it. */
export interface Position {
  /** The next offset to read. */
  readonly offset: number;
  /** Done offsets above it. */
  readonly completed: CompletedOffsets;
  readonly userText: string | null;
  readonly segmentation: Segmentation | null;
  /** What the map is to be believed for. */
  readonly guard: MapGuard;
}

/** How positions are written. */
export interface PositionFormat {
  readonly form: "dense" | "ascii";
  /** Most UTF-16 units of metadata. */
  readonly maxLength: number;
}

/**
 * Reads what a group has stored.
 *
 * A map of headrace is taken as it is, with what it was written for: whoever takes over the position
 * decides whether to believe it, as the group itself would.
 *
 * @param logEnd The log's end now, which bounds maps that carry no end of their own.
 */
export function readPosition({ offset, metadata }: CommittedOffset, logEnd: number): Position {
  const anyEnd = { offset, logEnd: Number.MAX_SAFE_INTEGER, topicId: NO_ID, inflateZstd };
  const ours = decodeMetadata(metadata, anyEnd);
  const read = ours.origin === "headrace" ? ours : decodeMetadata(metadata, { ...anyEnd, logEnd });
  const { completed, userText, segmentation, guard } = read;
  return { offset, completed, userText, segmentation, guard: guard ?? { logEnd, topicId: NO_ID } };
}

/** Writes a position as the metadata of a commit of its offset. */
export function writePosition(position: Position, format: PositionFormat): EncodedMetadata {
  const { offset, completed, userText, segmentation, guard } = position;
  const runs = runsOf(offset, completed);
  return encodeMetadata({ offset, ...guard, runs, userText, segmentation }, format);
}

/** Alternating lengths from `offset` up: not done, done, not done … */
function runsOf(offset: number, completed: CompletedOffsets): number[] {
  const runs: number[] = [];
  let end = offset;
  for (const { from, to } of completed.ranges()) {
    runs.push(from - end, to - from);
    end = to;
  }
  return runs;
}

/**
 * What all segments have done: the lowest offset, and above it what each of them has done. A segment
 * counts messages of the others as done as far as it has read, so this is what its owner has done, up to
 * where the slowest one has read.
 *
 * The user's text is that of the segment with the lowest offset. Maps of different topics (one was made
 * anew) say nothing of each other: the answer has none then.
 *
 * @param positions At least one.
 * O(ranges of all).
 */
export function mergePositions(positions: readonly Position[]): Position {
  const lowest = positions.reduce((low, one) => (one.offset < low.offset ? one : low));
  const { offset } = lowest;
  const ids = new Set(positions.map(({ guard }) => guard.topicId.join()).filter((id) => id !== ""));
  const topicId = positions.find(({ guard }) => guard.topicId.length > 0)?.guard.topicId ?? NO_ID;
  const logEnd = Math.max(...positions.map(({ guard }) => guard.logEnd));
  const bounds = positions.map((one) => doneFrom(offset, one)).reduce(intersection);
  const completed = ids.size > 1 ? CompletedOffsets.none() : new CompletedOffsets(bounds);
  const texts = positions.filter((one) => one.offset === offset && one.userText !== null);
  const userText = texts[0]?.userText ?? null;
  return { offset, completed, userText, segmentation: null, guard: { logEnd, topicId } };
}

/** Starts and ends in turn of what is done from `offset` up, apart from each other. */
function doneFrom(offset: number, position: Position): Float64Array {
  const bounds = offset < position.offset ? [offset, position.offset] : [];
  for (const { from, to } of position.completed.ranges()) {
    if (from === bounds.at(-1)) bounds[bounds.length - 1] = to;
    else bounds.push(from, to);
  }
  return Float64Array.from(bounds);
}

/** What is in both: starts and ends in turn, ascending and apart. */
function intersection(one: Float64Array, other: Float64Array): Float64Array {
  const both: number[] = [];
  for (let i = 0, j = 0; i < one.length && j < other.length; ) {
    const from = Math.max(one[i]!, other[j]!);
    const to = Math.min(one[i + 1]!, other[j + 1]!);
    if (from < to) both.push(from, to);
    if (one[i + 1] === to) i += 2;
    else j += 2;
  }
  return Float64Array.from(both);
}
