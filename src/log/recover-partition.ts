import { join } from "node:path";
import { CorruptLogError } from "../errors.ts";
import { ActiveSegment, type TornTail } from "./active-segment.ts";
import type { HeadState } from "./head-file.ts";
import type { PartitionPlace } from "./partition-log.ts";
import { SealedSegment } from "./sealed-segment.ts";
import { listSegments, segmentName } from "./segment-names.ts";
import { sweepDirectory } from "./sweep-directory.ts";

/** A partition as it was found. */
export interface Recovered {
  readonly sealed: SealedSegment[];
  /** undefined for a partition that was never written to. */
  readonly active: ActiveSegment | undefined;
  /** What was cut off. */
  readonly tornTail: TornTail | undefined;
}

/**
 * Sweeps the directory, checks that the segments follow each other, and recovers the last one.
 *
 * @param head What `head` said, undefined for a new or torn one.
 * @throws {CorruptLogError} When damage is found that is not a torn tail.
 */
export function recoverPartition(place: PartitionPlace, head: HeadState | undefined): Recovered {
  const { directory, topic, partition, writer } = place;
  sweepDirectory(directory, head);
  const bases = listSegments(directory);
  const last = bases.pop();
  const expected = head?.activeBase ?? 0;
  if ((last ?? 0) < expected) throw missing(place, "newest", expected);
  if (last === undefined) return { sealed: [], active: undefined, tornTail: undefined };
  const sealed = bases.map((base) => {
    return SealedSegment.open(join(directory, segmentName(base)), base, writer.segmentRules);
  });
  checkChain(place, sealed, { logStart: head?.logStart ?? 0, last });
  // A head of an older segment was written before the roll, which synced what it speaks of.
  const synced = head !== undefined && head.activeBase === last ? head.syncedBytes : 0;
  const path = join(directory, segmentName(last));
  const { segment, cut } = ActiveSegment.recover(path, last, synced, writer.segmentRules);
  return { sealed, active: segment, tornTail: cut && { topic, partition, ...cut } };
}

function checkChain(
  place: PartitionPlace,
  sealed: readonly SealedSegment[],
  { logStart, last }: { readonly logStart: number; readonly last: number },
): void {
  if ((sealed[0]?.baseOffset ?? last) > logStart) throw missing(place, "first", logStart);
  const { topic, partition, directory } = place;
  sealed.forEach((segment, at) => {
    const next = sealed[at + 1]?.baseOffset ?? last;
    if (segment.nextOffset === next) return;
    throw new CorruptLogError(
      `Cannot open ${topic}#${partition} as segments must follow each other: received ` +
        `${segmentName(segment.baseOffset)} up to offset ${segment.nextOffset} before ` +
        `${segmentName(next)} in ${directory}`,
    );
  });
}

function missing(place: PartitionPlace, which: string, baseOffset: number): CorruptLogError {
  const { topic, partition, directory } = place;
  return new CorruptLogError(
    `Cannot open ${topic}#${partition} as its ${which} segment must be there: ` +
      `received no ${segmentName(baseOffset)} in ${directory}`,
  );
}
