import { SegmentError } from "../errors.ts";
import type { TopicPartition } from "../types.ts";
import type { SegmentOffset } from "./report.ts";
import { nameOf } from "./snapshot.ts";

/** Most findings of one kind that a message lists; `problems` has all. */
const LISTED = 8;

/** What forbids to move offsets, the gravest first, with the rule that it breaks. */
const RULES = {
  "missing-topic": "topics must exist",
  running: "no group may have members",
  "unknown-group": "the group must be known",
  "no-offset": "the group must have offsets in the topic",
  "other-segmentation": "the segmentation must be this one",
  "never-committed": "the origin must have an offset where a segment has one",
  "existing-offset": "no segment may have an offset without force",
  "offsets-differ": "all segments must be at one offset without force",
  "past-the-end": "offsets must not lie past the log's end without force",
} as const;

export type SegmentProblemCode = keyof typeof RULES;

/** One thing that forbids to move offsets. Whatever it is not about is null. */
export interface SegmentProblem {
  readonly code: SegmentProblemCode;
  readonly groupId: string | null;
  /** null: the origin, or no group at all. */
  readonly segment: number | null;
  readonly topic: string | null;
  readonly partition: number | null;
  /** null: none, which is said where an offset matters. */
  readonly offset: number | null;
  /** What was found. */
  readonly received: string;
}

/** Offsets of parallel segments were not moved, or not all of them. */
export class SegmentOffsetsError extends SegmentError {
  /** What was found before anything was written; empty when a write was refused. */
  readonly problems: readonly SegmentProblem[];
  /** What was written before the refusal, and stays. */
  readonly written: readonly SegmentOffset[];

  constructor(
    message: string,
    found: {
      readonly problems?: readonly SegmentProblem[];
      readonly written?: readonly SegmentOffset[];
      readonly cause?: unknown;
      readonly retriable?: boolean;
    },
  ) {
    const { problems = [], written = [], cause, retriable = false } = found;
    super(message, { code: "HEADRACE_SEGMENT_OFFSETS", retriable, cause });
    this.problems = problems;
    this.written = written;
  }
}

/** Collects what is found. */
export class Problems {
  readonly #found: SegmentProblem[] = [];

  /** @param received Follows the names: "offset 40". */
  add(
    code: SegmentProblemCode,
    received: string,
    where: {
      readonly group?: { readonly groupId: string; readonly segment: number | null };
      readonly at?: TopicPartition | undefined;
      readonly topic?: string;
      readonly offset?: number | undefined;
    } = {},
  ): void {
    const { group, at, topic = at?.topic ?? null, offset = null } = where;
    const names = [
      ...(group === undefined ? [] : [groupName(group)]),
      ...(at !== undefined ? [nameOf(at)] : topic === null ? [] : [`"${topic}"`]),
    ];
    this.#found.push({
      code,
      groupId: group?.groupId ?? null,
      segment: group?.segment ?? null,
      topic,
      partition: at?.partition ?? null,
      offset,
      received: [...names, received].filter((part) => part !== "").join(" "),
    });
  }

  /** @throws {SegmentOffsetsError} With everything that was found, if anything was. */
  throwIfAny(act: string): void {
    if (this.#found.length === 0) return;
    const codes = Object.keys(RULES) as SegmentProblemCode[];
    const kinds = codes.flatMap((code) => {
      const found = this.#found.filter((one) => one.code === code);
      return found.length === 0 ? [] : [`as ${RULES[code]}: received ${list(found)}`];
    });
    throw new SegmentOffsetsError(`Cannot ${act} ${kinds.join("; ")}`, { problems: this.#found });
  }
}

/** How messages name a group. */
export function groupName(group: { groupId: string; segment: number | null }): string {
  const { groupId, segment } = group;
  return segment === null ? `group "${groupId}"` : `segment ${segment} "${groupId}"`;
}

function list(found: readonly SegmentProblem[]): string {
  const shown = found.slice(0, LISTED).map(({ received }) => received);
  const more = found.length - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(", ");
}
