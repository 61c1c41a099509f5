/**
 * `onCorruption: "readonly"`: the partition is opened as it is. Nothing is changed on disk and
 * nothing can be appended; what is good can be read, and reading what is not tells the damage.
 */
import { closeSync, fstatSync, openSync } from "node:fs";
import { join } from "node:path";
import type { HeadState } from "./head-file.ts";
import { readHoles } from "./holes.ts";
import { badBatch, missingSegment, type PartitionDamage } from "./partition-damage.ts";
import type { PartitionPlace } from "./partition-place.ts";
import type { Recovered } from "./recover-partition.ts";
import { type Scan, scanSegment } from "./scan-segment.ts";
import { SealedSegment } from "./sealed-segment.ts";
import { listSegments, segmentName } from "./segment-names.ts";

/** Opens all that is good. @param damage The first that was found. */
export function openDamaged(
  place: PartitionPlace,
  head: HeadState | undefined,
  damage: PartitionDamage,
): Recovered {
  const { directory, writer } = place;
  const holes = readHoles(directory);
  const sealed: SealedSegment[] = [];
  const damages: PartitionDamage[] = [];
  const bases = listSegments(directory);
  const logStart = head?.logStart ?? bases[0] ?? 0;
  let end = logStart;
  for (const base of bases) {
    // A segment that begins inside the one before it: its offsets are those of the first.
    if (base < end) continue;
    if (base > end) damages.push(missingSegment(place, "next", { from: end, to: base }));
    const path = join(directory, segmentName(base));
    const scan = scanFile(path, base, writer.writerEpoch);
    if (scan.position > 0) {
      sealed.push(SealedSegment.ofScan(path, base, scan, writer.segmentRules));
    }
    end = scan.nextOffset;
    if (scan.problem !== undefined) {
      const to = Number.POSITIVE_INFINITY;
      damages.push(badBatch(path, base, scan, { reason: scan.problem, to }));
    }
  }
  const logEnd = Math.max(end, head?.nextOffset ?? end);
  if (logEnd > end) damages.push(missingSegment(place, "newest", { from: end, to: logEnd }));
  tell(place, damage);
  const bounds = { logStart, logEnd };
  return { sealed, active: undefined, holes, tornTail: undefined, damage, damages, bounds };
}

/** All of it, checksums too: it is damaged, so nothing else is believed. */
function scanFile(path: string, baseOffset: number, maxEpoch: number): Scan {
  const fd = openSync(path, "r");
  try {
    return scanSegment({ fd, size: fstatSync(fd).size, baseOffset, verifyFrom: 0, maxEpoch });
  } finally {
    closeSync(fd);
  }
}

function tell(
  { topic, partition, directory, writer }: PartitionPlace,
  damage: PartitionDamage,
): void {
  const { baseOffset, position, reason, from, to } = damage.facts;
  const file = join(directory, segmentName(baseOffset));
  const event = { topic, partition, policy: "readonly", file, position, reason } as const;
  writer.events.emit("corrupt", { ...event, firstLost: from, nextOffset: to });
}
