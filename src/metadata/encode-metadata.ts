import { create, toBinary } from "@bufbuild/protobuf";
import { bodyCapacity, writeEnvelope } from "./envelope.ts";
import {
  EnvelopeSchema,
  type Segmentation as SegmentationMessage,
  SegmentationSchema,
} from "./envelope-pb.ts";
import { encodeRuns, MAP_FORM } from "./run-code.ts";
import type { Segmentation } from "./segmentation.ts";
import type { MetadataForm } from "./text-code.ts";

/** Bytes that a map takes beside its own: the field's tag and its length. */
const MAP_HEADER_BYTES = 4;

/** What a commit says beside its offset. */
export interface MetadataInput {
  /** The committed offset. */
  readonly offset: number;
  /** The log's end, as far as it is known; what the map says of offsets beyond a later end is not believed. */
  readonly logEnd: number;
  /** Kafka's topic id, 16 bytes; empty where the client has none. */
  readonly topicId: Uint8Array;
  /** Alternating lengths from `offset` up: not done (0 only here, at the start), done, not done, done … */
  readonly runs: ArrayLike<number>;
  /** The user's text; null or "" when there is none. See `checkUserText`. */
  readonly userText: string | null;
  /** null outside of parallel segments. */
  readonly segmentation: Segmentation | null;
}

/** How metadata is written. */
export interface MetadataFormat {
  readonly form: MetadataForm;
  /** Most UTF-16 units of the text. */
  readonly maxLength: number;
}

/** A commit's metadata. */
export interface EncodedMetadata {
  /** "" when there is nothing to say. */
  readonly text: string;
  /** Done offsets that the map carries. */
  readonly completed: number;
  /** Whether something had to be left out: done offsets, from the top, or what the format has no room for at all. */
  readonly truncated: boolean;
}

/**
 * Writes a commit's metadata (O5).
 *
 * The user's text goes in whole, the map takes the rest: its lowest runs that fit (O6).
 *
 * @throws {InvariantError} When a run is empty that must not be.
 * O(runs that fit + units).
 */
export function encodeMetadata(input: MetadataInput, format: MetadataFormat): EncodedMetadata {
  const { form, maxLength } = format;
  const message = create(EnvelopeSchema, { baseOffset: BigInt(input.offset) });
  if (input.segmentation !== null) message.segmentation = segmentationOf(input.segmentation);
  const plain = toBinary(EnvelopeSchema, message);
  const given = input.userText ?? "";
  // Nobody can attach so long a text (O7), but a broker may refuse it: then the map, which stays true, takes its place.
  const userText = plain.length <= bodyCapacity(maxLength, form, given) ? given : "";
  const lost = userText !== given;
  const capacity = bodyCapacity(maxLength, form, userText);
  // What guards a map costs room, and is of no use without one.
  message.mapForm = MAP_FORM;
  message.logEnd = BigInt(Math.max(0, input.logEnd));
  message.topicId = input.topicId;
  const guarded = toBinary(EnvelopeSchema, message);
  const map = encodeRuns(input.runs, capacity - guarded.length - MAP_HEADER_BYTES);
  if (map.completed > 0) {
    message.map = map.bytes;
    const body = toBinary(EnvelopeSchema, message);
    const text = writeEnvelope(body, form, input.offset, userText);
    return { text, completed: map.completed, truncated: map.truncated || lost };
  }
  if (userText === "" && input.segmentation === null) {
    return { text: "", completed: 0, truncated: map.truncated || lost };
  }
  if (plain.length > capacity) return { text: "", completed: 0, truncated: true };
  const text = writeEnvelope(plain, form, input.offset, userText);
  return { text, completed: 0, truncated: map.truncated || lost };
}

function segmentationOf({ count, version, isStart }: Segmentation): SegmentationMessage {
  const message = create(SegmentationSchema, { count, isStart: isStart ?? false });
  if (version !== null) message.version = version;
  return message;
}
