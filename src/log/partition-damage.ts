import { CorruptLogError } from "../errors.ts";
import type { PartitionPlace } from "./partition-place.ts";
import { corruptAt } from "./read-batches.ts";
import type { Scan } from "./scan-segment.ts";
import { segmentName } from "./segment-names.ts";

/** What recovery needs to know about damage that is not a torn tail. */
export interface DamageFacts {
  /** A segment holds a bad batch, begins below the end of the one before it, or is not there. */
  readonly kind: "segment" | "overlap" | "missing";
  /** Of the segment; of the first offset that is missing. */
  readonly baseOffset: number;
  /** First byte of the segment that is bad. */
  readonly position: number;
  /** First offset that is lost. */
  readonly from: number;
  /** First offset behind what is lost, as far as the segment itself shows it. */
  readonly to: number;
  readonly reason: string;
}

/** A CorruptLogError that says what `onCorruption` has to deal with. */
export class PartitionDamage extends CorruptLogError {
  readonly facts: DamageFacts;

  constructor(message: string, facts: DamageFacts) {
    super(message);
    this.name = "CorruptLogError";
    this.facts = facts;
  }
}

/** A bad batch. @param to End of the good batches behind it; without any, the scan's end. */
export function badBatch(
  path: string,
  baseOffset: number,
  { position, nextOffset }: Pick<Scan, "position" | "nextOffset">,
  { reason, to = nextOffset }: { readonly reason: string; readonly to?: number | undefined },
): PartitionDamage {
  const { message } = corruptAt(path, position, reason);
  const facts = { kind: "segment", baseOffset, position, from: nextOffset, to, reason } as const;
  return new PartitionDamage(message, facts);
}

/** No segment holds the offsets. @param which "first", "newest" or "next". */
export function missingSegment(
  { topic, partition, directory }: PartitionPlace,
  which: string,
  { from, to }: { readonly from: number; readonly to: number },
): PartitionDamage {
  const reason = `no ${segmentName(from)}`;
  const message =
    `Cannot open ${topic}#${partition} as its ${which} segment must be there: ` +
    `received ${reason} in ${directory}`;
  const facts = { kind: "missing", baseOffset: from, position: 0, from, to, reason } as const;
  return new PartitionDamage(message, facts);
}

/** Segments do not follow each other. */
export function brokenChain(
  { topic, partition, directory }: PartitionPlace,
  before: { readonly baseOffset: number; readonly nextOffset: number },
  baseOffset: number,
): PartitionDamage {
  const reason =
    `${segmentName(before.baseOffset)} up to offset ${before.nextOffset} before ` +
    segmentName(baseOffset);
  const message =
    `Cannot open ${topic}#${partition} as segments must follow each other: ` +
    `received ${reason} in ${directory}`;
  const from = before.nextOffset;
  const isGap = from < baseOffset;
  const kind = isGap ? "missing" : "overlap";
  const to = isGap ? baseOffset : from;
  const facts = { kind, baseOffset: isGap ? from : baseOffset, position: 0, from, to, reason };
  return new PartitionDamage(message, facts as DamageFacts);
}
