import { fromBinary } from "@bufbuild/protobuf";
import { CompletedOffsets } from "./completed-offsets.ts";
import { readEnvelope } from "./envelope.ts";
import {
  type Envelope,
  EnvelopeSchema,
  type Segmentation as SegmentationMessage,
} from "./envelope-pb.ts";
import { type InflateZstd, readParallelConsumer } from "./parallel-consumer.ts";
import { decodeRuns, MAP_FORM } from "./run-code.ts";
import type { Segmentation } from "./segmentation.ts";

/** Longest text that is looked at; brokers keep 4,096 units unless told otherwise. */
const MAX_UNITS = 1 << 20;

/** What is known where metadata is read. */
export interface MetadataContext {
  /** The committed offset that the metadata came with. */
  readonly offset: number;
  /** The log's end now: no offset from here on can be done. */
  readonly logEnd: number;
  /** Kafka's topic id, 16 bytes; empty where the client has none. */
  readonly topicId: Uint8Array;
  /** Inflates zstd frames in maps of Parallel Consumer; null or absent: such maps are no information. */
  readonly inflateZstd?: InflateZstd | null;
}

/** What keeps a map from being believed for another log. */
export interface MapGuard {
  /** The log's end when it was written. */
  readonly logEnd: number;
  /** Kafka's topic id, 16 bytes; empty where the client had none. */
  readonly topicId: Uint8Array;
}

/** What a commit said beside its offset. */
export interface DecodedMetadata {
  /** Offsets above the committed one that are done. */
  readonly completed: CompletedOffsets;
  /** The user's text; null when there is none, or the metadata is not ours. */
  readonly userText: string | null;
  readonly segmentation: Segmentation | null;
  /** What our map was written for; null where there is none. */
  readonly guard: MapGuard | null;
  /** Who wrote it; "none" when it is no information: empty, foreign or damaged. */
  readonly origin: "none" | "headrace" | "parallel-consumer";
}

/**
 * Reads a commit's metadata (O5). Never throws.
 *
 * The map is void when it belongs to another offset or another topic, or when the log was longer when it was written:
 * a topic made anew, a group copied to another cluster.
 *
 * O(units + offsets in the map's bitset, if it is Parallel Consumer's).
 */
export function decodeMetadata(text: string, context: MetadataContext): DecodedMetadata {
  if (text.length > MAX_UNITS) return nothing();
  const trimmed = withoutNuls(text);
  return readOurs(trimmed, context) ?? readForeign(trimmed, context) ?? nothing();
}

function nothing(): DecodedMetadata {
  const completed = CompletedOffsets.none();
  return { completed, userText: null, segmentation: null, guard: null, origin: "none" };
}

/** Some clients append NULs. */
function withoutNuls(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0) end--;
  return text.slice(0, end);
}

function readOurs(text: string, context: MetadataContext): DecodedMetadata | null {
  const envelope = readEnvelope(text, context.offset);
  if (envelope === null) return null;
  const message = parse(envelope.body);
  if (message === null) return null;
  const { segmentation, topicId, map } = message;
  return {
    completed: completedOf(message, context),
    userText: envelope.userText || null,
    segmentation: segmentation === undefined ? null : segmentationOf(segmentation),
    guard: map.length === 0 ? null : { logEnd: Number(message.logEnd), topicId },
    origin: "headrace",
  };
}

function segmentationOf({ count, version, isStart }: SegmentationMessage): Segmentation {
  return { count, version: version ?? null, ...(isStart && { isStart }) };
}

function parse(body: Uint8Array): Envelope | null {
  try {
    return fromBinary(EnvelopeSchema, body);
  } catch {
    // The checksum is right, so a stranger has made it: no information.
    return null;
  }
}

function completedOf(message: Envelope, context: MetadataContext): CompletedOffsets {
  const { offset, logEnd, topicId } = context;
  const isOurs =
    message.mapForm === MAP_FORM &&
    Number(message.baseOffset) === offset &&
    Number(message.logEnd) <= logEnd &&
    isSameTopic(message.topicId, topicId);
  const runs = isOurs ? decodeRuns(message.map) : null;
  return runs === null ? CompletedOffsets.none() : CompletedOffsets.fromRuns(offset, runs, logEnd);
}

/** A client that knows no topic ids can compare none. */
function isSameTopic(written: Uint8Array, now: Uint8Array): boolean {
  if (written.length === 0 || now.length === 0) return true;
  return written.length === now.length && written.every((byte, at) => byte === now[at]);
}

function readForeign(text: string, context: MetadataContext): DecodedMetadata | null {
  const { offset, logEnd, inflateZstd = null } = context;
  const completed = readParallelConsumer(text, offset, logEnd, inflateZstd);
  if (completed === null) return null;
  const origin = "parallel-consumer";
  return { completed, userText: null, segmentation: null, guard: null, origin };
}
