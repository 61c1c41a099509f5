/** What the metadata of a commit may say, and must say (O5, O6, O7). */
import { decodeMetadata } from "../../src/metadata/decode-metadata.ts";
import { demand } from "./demand.ts";
import type { Period, SimPartition } from "./period.ts";

const NO_ID: Uint8Array = new Uint8Array(0);
/**
 * UTF-16 units that an envelope takes beside map and text, with the last run that did not fit: a shorter text than
 * this below the limit has left nothing out.
 */
const ENVELOPE_UNITS = 40;
/** What a user's text leaves to the envelope (O7). */
const RESERVED_UNITS = 64;

/** What stored metadata says to whoever reads it now. */
export interface ReadMetadata {
  /** Offsets of records that are done. */
  readonly done: ReadonlySet<number>;
  readonly text: string | null;
  readonly ours: boolean;
  /** Offset after the highest that the map names; the committed one without a map. */
  readonly end: number;
}

/** Reads metadata as the next owner of the partition would. */
export function readMetadata(
  partition: SimPartition,
  offset: number,
  metadata: string,
): ReadMetadata {
  const { logEnd, records } = partition;
  const decoded = decodeMetadata(metadata, { offset, logEnd, topicId: NO_ID });
  const { completed } = decoded;
  const done = new Set<number>();
  for (const record of records) if (completed.has(record.offset)) done.add(record.offset);
  const end = Math.max(offset, completed.end);
  return { done, text: decoded.userText, ours: decoded.origin === "headrace", end };
}

/** Invariants 2 and 3: nothing in the map but what is done; and all that is done, as far as it fits. */
export function checkMap(period: Period, offset: number, metadata: string, limit: number): void {
  const { name, records } = period.partition;
  const { done, end } = readMetadata(period.partition, offset, metadata);
  // What does not fit is left out from the top.
  const mayLeaveOut = metadata.length + ENVELOPE_UNITS > limit;
  for (const { offset: at } of records) {
    if (at < offset) continue;
    if (done.has(at)) {
      demand(period.isDone(at), () => `2: ${name} commits ${offset} with ${at} in the map`);
    } else if (period.isDone(at)) {
      const left = mayLeaveOut && at >= end;
      demand(left, () => `O5: ${name} commits ${offset} without ${at} in the map`);
    }
  }
}

/** O7: the text travels whole. */
export function checkText(period: Period, offset: number, metadata: string, limit: number): void {
  const { name } = period.partition;
  const { text } = readMetadata(period.partition, offset, metadata);
  const due = period.texts.at(offset);
  if (text === due) return;
  const lost = text === null && due !== null && due.length + RESERVED_UNITS > limit;
  demand(lost, () => `O7: ${name} commits ${offset} with text ${text} instead of ${due}`);
}
