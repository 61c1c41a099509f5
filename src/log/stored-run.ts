import { Buffer } from "node:buffer";
import type { StoredBatch } from "./read-batches.ts";

/** Records of one delivery: few enough to stay in a processor's cache while they are handled. */
const MAX_RUN_RECORDS = 1024;

/**
 * Takes a run of batches from the front of the list: one delivery instead of many small ones.
 *
 * The batches of a run lie one behind the other in one buffer, without a gap between their offsets.
 * A batch that has more records than a run may have is a run of its own.
 *
 * @param batches As one read gave them.
 * @returns None when there are none.
 */
export function takeRun(batches: StoredBatch[]): StoredBatch[] {
  let count = batches[0]?.count ?? 0;
  let taken = Math.min(1, batches.length);
  while (taken < batches.length && follows(batches[taken - 1]!, batches[taken]!)) {
    count += batches[taken]!.count;
    if (count > MAX_RUN_RECORDS) break;
    taken++;
  }
  return batches.splice(0, taken);
}

function follows({ baseOffset, count, bytes }: StoredBatch, next: StoredBatch): boolean {
  const sameBuffer = next.bytes.buffer === bytes.buffer;
  const adjacent = next.bytes.byteOffset === bytes.byteOffset + bytes.length;
  return sameBuffer && adjacent && next.baseOffset === baseOffset + count;
}

/**
 * A run as if it were one batch: base offset, records and bytes of all.
 *
 * @param run At least one batch, from `takeRun()`.
 */
export function joinRun(run: readonly StoredBatch[]): StoredBatch {
  const first = run[0]!;
  const last = run[run.length - 1]!;
  if (first === last) return first;
  const { buffer, byteOffset } = first.bytes;
  const end = last.bytes.byteOffset + last.bytes.length;
  const count = last.baseOffset + last.count - first.baseOffset;
  const bytes = Buffer.from(buffer, byteOffset, end - byteOffset);
  return { baseOffset: first.baseOffset, count, bytes };
}
