import type { CheckedRecord } from "./checked-record.ts";

/**
 * Parts the records of a call for one partition, where one batch could be too large for the sink.
 *
 * @param indexes Of the records, ascending.
 * @param limits null: they stay together.
 * @returns Runs of `indexes`, in order; a record above the limits is a run of its own.
 */
export function partRecords(
  records: readonly CheckedRecord[],
  indexes: readonly number[],
  limits: { readonly maxMessages: number; readonly maxBytes: number } | null,
): readonly (readonly number[])[] {
  if (limits === null || indexes.length === 1) return [indexes];
  const runs: number[][] = [];
  let run: number[] = [];
  let bytes = 0;
  for (const index of indexes) {
    const { byteLength } = records[index] as CheckedRecord;
    const full = run.length >= limits.maxMessages || bytes + byteLength > limits.maxBytes;
    if (run.length > 0 && full) {
      runs.push(run);
      run = [];
      bytes = 0;
    }
    run.push(index);
    bytes += byteLength;
  }
  runs.push(run);
  return runs;
}
