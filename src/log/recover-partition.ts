import { join } from "node:path";
import { ActiveSegment, type TornTail } from "./active-segment.ts";
import type { HeadState } from "./head-file.ts";
import { type Hole, readHoles } from "./holes.ts";
import { openDamaged } from "./open-damaged.ts";
import { brokenChain, missingSegment, PartitionDamage } from "./partition-damage.ts";
import type { PartitionPlace } from "./partition-place.ts";
import { quarantine } from "./quarantine.ts";
import { SealedSegment } from "./sealed-segment.ts";
import { listSegments, segmentName } from "./segment-names.ts";
import type { FoundSegments } from "./segments.ts";
import { sweepDirectory } from "./sweep-directory.ts";

/** Damages of one partition that are set aside at most; each costs a look at all of it. */
const MAX_DAMAGES = 1000;

/** A partition as it was found. */
export interface Recovered extends FoundSegments {
  /** What was cut off. */
  readonly tornTail: TornTail | undefined;
  /** Why it is open for reading only. */
  readonly damage?: PartitionDamage;
}

/**
 * Sweeps the directory, checks that the segments follow each other, and recovers the last one. What
 * becomes of damage that is not a torn tail, the option `onCorruption` says.
 *
 * @param head What `head` said, undefined for a new or torn one.
 * @throws {CorruptLogError} When such damage is found, and the option says "fail".
 */
export function recoverPartition(place: PartitionPlace, head: HeadState | undefined): Recovered {
  const { onCorruption } = place.writer.options;
  sweepDirectory(place.directory, head);
  for (let attempt = 0; ; attempt++) {
    try {
      return recover(place, head);
    } catch (error) {
      if (!(error instanceof PartitionDamage) || onCorruption === "fail") throw error;
      if (onCorruption === "readonly") return openDamaged(place, head, error);
      if (attempt === MAX_DAMAGES) throw error;
      quarantine(place, head, error.facts);
    }
  }
}

function recover(place: PartitionPlace, head: HeadState | undefined): Recovered {
  const { directory, topic, partition, writer } = place;
  const holes = readHoles(directory);
  const bases = listSegments(directory);
  const last = bases.pop();
  checkNewest(place, head, last);
  if (last === undefined) return { sealed: [], active: undefined, holes, tornTail: undefined };
  const sealed: SealedSegment[] = [];
  for (const base of bases) {
    checkNext(place, { logStart: head?.logStart ?? 0, before: sealed.at(-1), holes }, base);
    const path = join(directory, segmentName(base));
    sealed.push(SealedSegment.open(path, base, writer.segmentRules));
  }
  checkNext(place, { logStart: head?.logStart ?? 0, before: sealed.at(-1), holes }, last);
  // A head of an older segment was written before the roll, which synced what it speaks of.
  const synced = head !== undefined && head.activeBase === last ? head.syncedBytes : 0;
  const path = join(directory, segmentName(last));
  const { segment, cut } = ActiveSegment.recover(path, last, synced, writer.segmentRules);
  return { sealed, active: segment, holes, tornTail: cut && { topic, partition, ...cut } };
}

function checkNewest(
  place: PartitionPlace,
  head: HeadState | undefined,
  last: number | undefined,
): void {
  if (head === undefined || head.nextOffset === 0) return;
  if (last !== undefined && last >= head.activeBase) return;
  throw missingSegment(place, "newest", { from: head.activeBase, to: head.nextOffset });
}

interface Chain {
  readonly logStart: number;
  /** The segment before, undefined for the first one. */
  readonly before: SealedSegment | undefined;
  readonly holes: readonly Hole[];
}

/** Offsets go on from segment to segment, but for declared holes. */
function checkNext(place: PartitionPlace, { logStart, before, holes }: Chain, base: number): void {
  const expected = before?.nextOffset ?? logStart;
  if (base === expected || (before === undefined && base < expected)) return;
  if (holes.some(({ from, to }) => from <= expected && to >= base) && base > expected) return;
  if (before !== undefined) throw brokenChain(place, before, base);
  throw missingSegment(place, "first", { from: logStart, to: base });
}
