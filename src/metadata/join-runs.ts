import type { CompletedOffsets } from "./completed-offsets.ts";

/**
 * The runs that a commit carries: what this consumer has done, and above its position what a former owner had done.
 *
 * Without the second part a crash before the redelivery would lose it: the map in the commit metadata is the only
 * place where it stands.
 *
 * @param runs Alternating lengths from the committable offset to `position`: not done, done, not done …
 * @param position Next offset that will be delivered.
 * @param inherited What the map said that was read at assignment. What of it lies below `position` is left out.
 * @returns Alternating lengths; the first is 0 when the committable offset itself was done by a former owner.
 * O(runs).
 */
export function joinRuns(
  runs: readonly number[],
  position: number,
  inherited: CompletedOffsets,
): readonly number[] {
  if (inherited.end <= position) return runs;
  const joined = runs.slice();
  let end = position;
  for (const { from, to } of inherited.ranges()) {
    if (to <= end) continue;
    const start = Math.max(from, end);
    append(joined, false, start - end);
    append(joined, true, to - start);
    end = to;
  }
  return joined;
}

/** Lengthens the last run if it is of the same kind. */
function append(runs: number[], done: boolean, length: number): void {
  if (length === 0) return;
  const isDone = runs.length % 2 === 1;
  if (isDone === done) runs.push(length);
  else if (runs.length > 0) runs[runs.length - 1]! += length;
  else runs.push(0, length);
}
