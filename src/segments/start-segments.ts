import { HeadraceError, SegmentError } from "../errors.ts";
import { decodeMetadata } from "../metadata/decode-metadata.ts";
import { encodeMetadata, type MetadataFormat } from "../metadata/encode-metadata.ts";
import { isSameSegmentation, type Segmentation } from "../metadata/segmentation.ts";
import type { Admin } from "../source/source.ts";
import { otherSegmentation } from "./other-segmentation.ts";
import { type SegmentNaming, segmentGroupId, segmentGroupIds } from "./segment-names.ts";

/** Groups that are read at the same time. */
const READ_AT_ONCE = 8;
/** How often the first group is read before its offsets count as agreed. */
const AGREED_READS = 4;
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
 * from there for the others. Processes that start side by side may each find nothing and each store a start for the
 * first segment; the last one counts. So it is read several times before it is passed on: whoever has found nothing
 * before us has stored his by then (after Fischer's algorithm, see Lamport, "A fast mutual exclusion algorithm", 1987).
 * A start that was not passed on, as its process has died, is known by its mark in the metadata: the next one does it.
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
  const begun: AgreedStart[] = [];
  for (const { partition, logStart, logEnd } of await admin.logBounds(topic)) {
    const all = [origin, ...segments].map((group) => group.get(partition));
    const known = all.findIndex((one) => one !== undefined);
    if (known < 0) {
      // A partition that was added later is read from its beginning (O10).
      fresh.push({ partition, offset: fromBeginning || isKnown ? logStart : logEnd });
      continue;
    }
    const first = all[1];
    if (first?.isStart) begun.push({ partition, offset: first.offset });
    else refuseMissing(start, topic, partition, segments, ids[known]!, all[known]!.offset);
  }
  const missing = begun.filter(({ partition }) => segments.some((one) => !one.has(partition)));
  const agreed = fresh.length === 0 ? [] : await agree(admin, start, topic, fresh, isKnown);
  await passOn(admin, start, topic, [...agreed, ...missing]);
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

/** Stores a start for the first segment. @returns What is stored there in the end. */
async function agree(
  admin: Admin,
  start: SegmentsStart,
  topic: string,
  fresh: readonly AgreedStart[],
  isKnown: boolean,
): Promise<AgreedStart[]> {
  const first = segmentGroupId(start.naming, 0);
  await storeStarts(admin, start, first, topic, fresh);
  let stored: StoredStarts = new Map();
  for (let read = 0; read < AGREED_READS; read++) {
    stored = await readGroup(admin, start, first, topic);
  }
  return fresh.flatMap(({ partition }) => {
    const found = stored.get(partition);
    if (found !== undefined) return { partition, offset: found.offset };
    // A new partition of a topic that is read by now: its owners begin at its beginning too.
    if (isKnown) return [];
    const where = `${topic}#${partition}`;
    throw new SegmentError(
      `Cannot start the segments of "${start.naming.origin}" as a start must be stored for ` +
        `group "${first}": received a group with members and no offset for ${where}`,
    );
  });
}

/** Gives the first segment's starts to all that have none. */
async function passOn(
  admin: Admin,
  start: SegmentsStart,
  topic: string,
  agreed: readonly AgreedStart[],
): Promise<void> {
  if (agreed.length === 0) return;
  for (const groupId of segmentGroupIds(start.naming).slice(1)) {
    const stored = await readGroup(admin, start, groupId, topic);
    const missing = agreed.filter(({ partition }) => !stored.has(partition));
    if (missing.length > 0) await storeStarts(admin, start, groupId, topic, missing);
  }
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
