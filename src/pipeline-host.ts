import type { Events } from "./events.ts";
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
  /** Results that came after their lease had ended. */
  dropped(messages: number): void;
}

/** Where a pipeline begins. */
export interface PipelineStart {
  readonly offset: number;
  /** The start must be stored before anything is handed out (O10). */
  readonly gated: boolean;
  /** End of the readable log, or -1. */
  readonly highWatermark: number;
}

/** `suspended`: between the end of the drain and the answer of the join. */
export type LeaseState = "live" | "draining" | "suspended" | "ended";
