import type { OffsetTexts } from "./mark/offset-texts.ts";
import type { OffsetTracker } from "./mark/offset-tracker.ts";
import type { CompletedOffsets } from "./metadata/completed-offsets.ts";
import { type EncodedMetadata, encodeMetadata } from "./metadata/encode-metadata.ts";
import { joinRuns } from "./metadata/join-runs.ts";
import type { Segmentation } from "./metadata/segmentation.ts";
import { withoutDone } from "./selected-records.ts";
import type { SourceBatch } from "./source/source.ts";
import type { SegmentInfo } from "./types.ts";

/** Shorter metadata says nothing: a broker that refuses it gets none. */
const MIN_LENGTH = 16;
const NOTHING: EncodedMetadata = { text: "", completed: 0, truncated: false };

/** How a consumer writes metadata. */
export interface MetadataOptions {
  readonly offsetMap: "dense" | "ascii" | "off";
  readonly maxMetadataLength: number;
  readonly segments: { readonly version: string | null } | null;
}

/** What one lease's commits say beside the offset: the completed map (O5) and the user's text (O7). */
export class CommitMetadata {
  readonly #options: MetadataOptions;
  readonly #segmentation: Segmentation | null;
  readonly #tracker: OffsetTracker;
  readonly #texts: OffsetTexts;
  readonly topicId: Uint8Array;
  /** What the map said that was read at assignment, above what has been delivered since. */
  readonly inherited: CompletedOffsets;
  /** UTF-16 units that the broker has not refused. */
  #maxLength: number;

  constructor(
    options: MetadataOptions,
    member: { readonly segment: SegmentInfo | null },
    tracker: OffsetTracker,
    texts: OffsetTexts,
    start: { readonly completed: CompletedOffsets; readonly topicId: Uint8Array },
  ) {
    const { segment } = member;
    const version = options.segments?.version ?? null;
    this.#segmentation = segment === null ? null : { count: segment.count, version };
    this.#options = options;
    this.#tracker = tracker;
    this.#texts = texts;
    this.topicId = start.topicId;
    this.inherited = start.completed;
    this.#maxLength = options.maxMetadataLength;
  }

  /** The user's text as the next commit carries it. */
  get userText(): string | null {
    return this.#texts.at(this.#tracker.committable);
  }

  /** P1: what the map says is done is never seen again, not even by the partitioner. */
  withoutDone(given: SourceBatch): SourceBatch {
    const { inherited } = this;
    if (inherited.count === 0) return given;
    const records = withoutDone(given.records, (offset) => inherited.has(offset));
    inherited.dropBelow(given.nextOffset);
    return records === given.records ? given : { ...given, records };
  }

  /** The metadata of a commit of `offset`, which is the committable offset. O(runs). */
  encode(offset: number, logEnd: number): EncodedMetadata {
    const { offsetMap } = this.#options;
    const segmentation = this.#segmentation;
    const userText = this.#texts.at(offset);
    const runs =
      offsetMap === "off"
        ? []
        : joinRuns(this.#tracker.runs(), this.#tracker.nextOffset, this.inherited);
    if (this.#maxLength < MIN_LENGTH) {
      return { ...NOTHING, truncated: runs.length > 1 || userText !== null };
    }
    const input = { offset, logEnd, topicId: this.topicId, runs, userText, segmentation };
    const form = offsetMap === "ascii" ? "ascii" : "dense";
    return encodeMetadata(input, { form, maxLength: this.#maxLength });
  }

  /** The broker has refused metadata of this length: the next is at most half as long (O6). */
  refused(length: number): void {
    this.#maxLength = Math.min(this.#maxLength, Math.floor(length / 2));
  }
}
