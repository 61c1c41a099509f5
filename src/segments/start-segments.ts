import { HeadraceError, SegmentError } from "../errors.ts";
import { decodeMetadata } from "../metadata/decode-metadata.ts";
import { encodeMetadata, type MetadataFormat } from "../metadata/encode-metadata.ts";
import { isSameSegmentation, type Segmentation } from "../metadata/segmentation.ts";
import type { Admin } from "../source/source.ts";
import { otherSegmentation } from "./other-segmentation.ts";
import { type SegmentNaming, segmentGroupId, segmentGroupIds } from "./segment-names.ts";

/** Groups that are read at the same time. */
const READ_AT_ONCE = 8;
/** How often the first group is read before its start is passed on: each takes about as long as to find none. */
const AGREED_READS = 12;
const PASS_ON_ROUNDS = 4;
const NO_ID: Uint8Array = new Uint8Array(0);

/** Segments that are about to start. */
export interface SegmentsStart {
  readonly naming: SegmentNaming;
  /** Those that this process runs. */
  readonly run: readonly number[];
  readonly topics: readonly string[];
  readonly segmentation: Segmentation;
  readonly fromBeginning: boolean;
  readonly format: MetadataFormat;
}

interface StoredStart {
  readonly offset: number;
  readonly isStart: boolean;
}

/** What one group has stored, by partition. */
type StoredStarts = ReadonlyMap<number, StoredStart>;

interface AgreedStart {
  readonly partition: number;
  readonly offset: number;
}

/**
 * Sees to it that all segments begin at the same offsets (S7), before any of them joins its group.
 *
 * Where neither the origin nor a segment has an offset, the start is stored for all segments: for the first one, and
 * from there for the others. Brokers do not compare before they store. So processes that start side by side may each
 * find nothing and each store another start for the first segment; the last one counts. It is therefore read for a
 * while before it is passed on: whoever has found nothing before us has stored his by then (after Fischer's algorithm,
 * see Lamport, "A fast mutual exclusion algorithm", 1987). Who was slower still finds what was passed on, and takes
 * that. A start that was not passed on, as its process has died, is known by its mark in the metadata.
 *
 * @throws {SegmentError} When a segment of this process has no offset where the origin or another one has one, or when
 *   offsets were committed by another segmentation (S8).
 */
export async function startSegments(admin: Admin, start: SegmentsStart): Promise<void> {
  await admin.open();
  try {
    const there = await admin.partitionCounts(start.topics);
    // What comes to be later is read from its beginning.
    for (const topic of there.keys()) await startTopic(admin, start, topic);
  } finally {
    await admin.close();
  }
}

async function startTopic(admin: Admin, start: SegmentsStart, topic: string): Promise<void> {
  const { naming, fromBeginning } = start;
  const ids = [naming.origin, ...segmentGroupIds(naming)];
  const [origin, ...segments] = (await readGroups(admin, start, ids, topic)) as [
    StoredStarts,
    ...StoredStarts[],
  ];
  const isKnown = origin.size > 0 || segments.some(({ size }) => size > 0);
  const fresh: AgreedStart[] = [];
  const begun: number[] = [];
  for (const { partition, logStart, logEnd } of await admin.logBounds(topic)) {
    const all = [origin, ...segments].map((group) => group.get(partition));
    const known = all.findIndex((one) => one !== undefined);
    if (known < 0) {
      // A partition that was added later is read from its beginning (O10).
      fresh.push({ partition, offset: fromBeginning || isKnown ? logStart : logEnd });
      continue;
    }
    const first = all[1];
    const isBegun = first?.isStart && segments.some((one) => !one.has(partition));
    if (isBegun) begun.push(partition);
    else refuseMissing(start, topic, partition, segments, ids[known]!, all[known]!.offset);
  }
  if (fresh.length > 0) await propose(admin, start, topic, fresh);
  const agreed = [...fresh.map(({ partition }) => partition), ...begun];
  const without = agreed.length === 0 ? [] : await passOn(admin, start, topic, agreed);
  // A new partition of a topic that is read by now: its owners begin at its beginning too.
  if (without.length === 0 || isKnown) return;
  throw new SegmentError(
    `Cannot start the segments of "${naming.origin}" as a start must be stored for all of them: ` +
      `received groups with members and without offsets for ${topic}#${without[0]}`,
  );
}

function refuseMissing(
  { naming, run }: SegmentsStart,
  topic: string,
  partition: number,
  segments: readonly StoredStarts[],
  knownId: string,
  offset: number,
): void {
  const lacking = run.find((index) => !segments[index]!.has(partition));
  if (lacking === undefined) return;
  const own = segmentGroupId(naming, lacking);
  throw new SegmentError(
    `Cannot start segment ${lacking} of "${naming.origin}" as its group "${own}" must have an ` +
      `offset where others have: received none for ${topic}#${partition} ("${knownId}" has ` +
      `${offset}); "headrace segments distribute" gives it one`,
  );
}

/** Stores a start for the first segment, and waits until whoever else does so has done it. */
async function propose(
  admin: Admin,
  start: SegmentsStart,
  topic: string,
  fresh: readonly AgreedStart[],
): Promise<void> {
  const first = segmentGroupId(start.naming, 0);
  const found = await readGroup(admin, start, first, topic);
  const missing = fresh.filter(({ partition }) => !found.has(partition));
  if (missing.length > 0) await storeStarts(admin, start, first, topic, missing);
  for (let read = 0; read < AGREED_READS; read++) await readGroup(admin, start, first, topic);
}

/**
 * Gives one start to all segments: what has been passed on already, else the first segment's.
 *
 * @returns Partitions without any start: their groups have members and no offset.
 */
async function passOn(
  admin: Admin,
  start: SegmentsStart,
  topic: string,
  partitions: readonly number[],
): Promise<number[]> {
  const ids = segmentGroupIds(start.naming);
  let without: number[] = [];
  for (let round = 0; round < PASS_ON_ROUNDS; round++) {
    const [first, ...others] = await readGroups(admin, start, ids, topic);
    const groups = [first!, ...others];
    const offsets = new Map(
      partitions.map((partition) => {
        const passed = [...others, first!].find((group) => group.has(partition));
        return [partition, passed?.get(partition)?.offset];
      }),
    );
    without = partitions.filter((partition) => offsets.get(partition) === undefined);
    const wrong = groups.map((group) =>
      partitions.flatMap((partition) => {
        const offset = offsets.get(partition);
        const stored = group.get(partition);
        // What a segment has reached is never overwritten.
        const isRight = stored !== undefined && (!stored.isStart || stored.offset === offset);
        return offset === undefined || isRight ? [] : [{ partition, offset }];
      }),
    );
    if (wrong.every((starts) => starts.length === 0)) break;
    for (const [index, starts] of wrong.entries()) {
      if (starts.length > 0) await storeStarts(admin, start, ids[index]!, topic, starts);
    }
  }
  return without;
}

async function storeStarts(
  admin: Admin,
  { segmentation, format }: SegmentsStart,
  groupId: string,
  topic: string,
  starts: readonly AgreedStart[],
): Promise<void> {
  const offsets = starts.map(({ partition, offset }) => {
    const said = { ...segmentation, isStart: true as const };
    const input = { offset, logEnd: offset, topicId: NO_ID, runs: [], userText: null };
    const { text } = encodeMetadata({ ...input, segmentation: said }, format);
    return { partition, offset, metadata: text };
  });
  try {
    await admin.commit(groupId, topic, offsets);
  } catch (error) {
    // Its member has been here: it joined after it had found, or stored, its own start.
    if (!HeadraceError.is(error) || error.code !== "HEADRACE_GROUP_RUNNING") throw error;
  }
}

async function readGroups(
  admin: Admin,
  start: SegmentsStart,
  groupIds: readonly string[],
  topic: string,
): Promise<StoredStarts[]> {
  const groups: StoredStarts[] = [];
  for (let at = 0; at < groupIds.length; at += READ_AT_ONCE) {
    const part = groupIds.slice(at, at + READ_AT_ONCE);
    groups.push(...(await Promise.all(part.map((id) => readGroup(admin, start, id, topic)))));
  }
  return groups;
}

async function readGroup(
  admin: Admin,
  { naming, segmentation }: SegmentsStart,
  groupId: string,
  topic: string,
): Promise<StoredStarts> {
  const starts = new Map<number, StoredStart>();
  for (const { partition, offset, metadata } of await admin.committed(groupId, topic)) {
    if (offset === null || offset < 0) continue;
    const context = { offset, logEnd: Number.MAX_SAFE_INTEGER, topicId: NO_ID };
    const found = decodeMetadata(metadata, context).segmentation;
    if (found !== null && groupId !== naming.origin && !isSameSegmentation(segmentation, found)) {
      throw otherSegmentation(groupId, `${topic}#${partition}`, segmentation, found);
    }
    starts.set(partition, { offset, isStart: found?.isStart === true });
  }
  return starts;
}
