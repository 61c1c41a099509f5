import type { DeadLetters, DeadLetterWriter } from "./dead-letters.ts";
import type { Events } from "./events.ts";
import type { CompletedOffsets } from "./metadata/completed-offsets.ts";
import type { ModuleHandlers } from "./module-handlers.ts";
import type { Mutexes } from "./process/mutexes.ts";
import type { ResolvedOptions } from "./resolve-options.ts";
import type { Scheduler } from "./schedule/scheduler.ts";
import type { PollCredit } from "./source/poll-credit.ts";
import type { Lease } from "./source/source.ts";
import type { SegmentInfo } from "./types.ts";

/** What all members of a consumer share. */
export interface MemberHost {
  readonly options: ResolvedOptions;
  readonly scheduler: Scheduler;
  readonly credit: PollCredit;
  readonly events: Events;
  readonly deadLetters: DeadLetters | null;
  readonly mutexes: Mutexes;
  readonly modules: ModuleHandlers;
  readonly report: (error: unknown) => void;
  /** A `stalled` event of this kind. */
  readonly stalled: (lease: Lease, kind: string) => void;
  /** Results that came after their lease had ended. */
  readonly dropped: (messages: number) => void;
}

/** Which group a member is in, and how its source is. */
export interface MemberFacts {
  readonly groupId: string;
  /** null: the group is no segment. */
  readonly segment: SegmentInfo | null;
  /** What the source said last, unless something has come since. */
  sourceError: string | null;
}

/** What all pipelines of a member share. Its events name the segment. */
export interface PipelineHost extends MemberHost {
  readonly member: MemberFacts;
  /** null: no topic has a dead letter queue. */
  readonly letters: DeadLetterWriter | null;
  /** Something was marked; idle: nothing is left to do. */
  readonly marked: (lease: Lease, idle: boolean) => void;
}

/** Where a pipeline begins. */
export interface PipelineStart {
  /** What is done above the offset already, by the metadata read at assignment. */
  readonly completed: CompletedOffsets;
  /** The user's text in that metadata. */
  readonly offsetMetadata: string | null;
  /** Empty where the client has none. */
  readonly topicId: Uint8Array;
  /** `consumer.pause()` holds it, as before a seek. */
  readonly paused: boolean;
  readonly offset: number;
  /** The start must be stored before anything is handed out (O10). */
  readonly gated: boolean;
  /** End of the readable log, or -1. */
  readonly highWatermark: number;
}

/** Messages of the calls that a drain waited for. */
export interface DrainCounts {
  /** Of calls that ended. */
  readonly drained: number;
  /** Of calls that still run. */
  readonly abandoned: number;
}

/** `suspended`: between the end of the drain and the answer of the join. */
export type LeaseState = "live" | "draining" | "suspended" | "ended";
