import type { DeadLetters } from "./dead-letters.ts";
import type { Events } from "./events.ts";
import type { CompletedOffsets } from "./metadata/completed-offsets.ts";
import type { ModuleHandlers } from "./module-handlers.ts";
import type { Mutexes } from "./process/mutexes.ts";
import type { ResolvedOptions } from "./resolve-options.ts";
import type { Scheduler } from "./schedule/scheduler.ts";
import type { PollCredit } from "./source/poll-credit.ts";
import type { Lease } from "./source/source.ts";

/** What all pipelines of a consumer share. */
export interface PipelineHost {
  readonly options: ResolvedOptions;
  readonly scheduler: Scheduler;
  readonly credit: PollCredit;
  readonly events: Events;
  /** Something was marked; idle: nothing is left to do. */
  marked(lease: Lease, idle: boolean): void;
  report(error: unknown): void;
  readonly deadLetters: DeadLetters | null;
  readonly mutexes: Mutexes;
  readonly modules: ModuleHandlers;
  /** A `stalled` event of this kind. */
  stalled(lease: Lease, kind: string): void;
  /** Results that came after their lease had ended. */
  dropped(messages: number): void;
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

/** `suspended`: between the end of the drain and the answer of the join. */
export type LeaseState = "live" | "draining" | "suspended" | "ended";
