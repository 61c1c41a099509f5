import type { Damage, PartitionOutcome, PartitionReport } from "./verify-report.ts";

/**
 * What `onCorruption` leaves of a damaged partition once an open has met all of its damage.
 *
 * "readonly" and "quarantine" keep the same messages: of each segment what stands before its first bad
 * batch. What is good behind it is given up: nobody can tell whether it was acknowledged.
 *
 * @returns undefined for a partition that loses nothing.
 */
export function outcomeOf(
  { topic, partition, logEnd, segments }: PartitionReport,
  damages: readonly Damage[],
): PartitionOutcome | undefined {
  const lost = damages.filter(({ kind, loss }) => loss && (kind === "batch" || kind === "missing"));
  if (lost.length === 0) return undefined;
  const givenUp: { from: number; to: number }[] = [];
  let kept = 0;
  segments.forEach(({ file, baseOffset, records, nextOffset }, at) => {
    const first = lost.find((one) => one.kind === "batch" && one.file === file);
    if (first === undefined) {
      kept += records;
      return;
    }
    const from = first.firstOffset ?? baseOffset;
    kept += from - baseOffset;
    const to = segments[at + 1]?.baseOffset ?? Math.max(nextOffset, first.endOffset ?? 0, logEnd);
    if (to > from) givenUp.push({ from, to });
  });
  for (const { kind, firstOffset, endOffset } of lost) {
    if (kind !== "missing" || firstOffset === null || endOffset === null) continue;
    if (endOffset > firstOffset) givenUp.push({ from: firstOffset, to: endOffset });
  }
  givenUp.sort((a, b) => a.from - b.from);
  return { topic, partition, kept, givenUp };
}
