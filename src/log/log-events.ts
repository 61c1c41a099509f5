import process from "node:process";
import type { TornTail } from "./active-segment.ts";

/** Where something happened. */
interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** Damage that is not a torn tail, and what `onCorruption` made of it. */
export interface CorruptPartition extends Place {
  readonly policy: "readonly" | "quarantine";
  /** The damaged file, under the name it has now. */
  readonly file: string;
  /** Where in the file the damage begins. */
  readonly position: number;
  readonly reason: string;
  /** First offset that cannot be read. */
  readonly firstLost: number;
  /** First offset behind the damage that can be read or will be written. */
  readonly nextOffset: number;
}

/** Something is wrong with the clock: batches carry append times that are yet to come. */
export interface ClockAhead extends Place {
  /** Append time that new batches get, in ms since the epoch. */
  readonly appendTimeMs: number;
  /** What the clock says. */
  readonly nowMs: number;
}

/** A group has committed what the log does not have: its unsynced end was lost in a crash. */
export interface OffsetAheadOfLog extends Place {
  readonly groupId: string;
  readonly offset: number;
  readonly logEnd: number;
}

/** Retention would remove a segment, and a group has not read it yet. */
export interface RetentionBlocked extends Place {
  readonly groupId: string;
  /** The group's next offset. */
  readonly offset: number;
  /** What stays for its sake. */
  readonly bytes: number;
}

/** A segment could not be archived or removed; that is tried again, later and later. */
export interface RetentionFailed extends Place {
  /** Path of the `.log`, or of what could not be read to decide. */
  readonly file: string;
  readonly error: unknown;
}

/** A write or sync failed; the partition takes no more until the log is opened again. */
export interface WriteFailed extends Place {
  readonly error: unknown;
}

/** What happens in a log, for its users to watch. */
export interface LogEvents {
  /** A crash left an incomplete batch at the end of a partition, and it was cut off. */
  tornTail: TornTail;
  corrupt: CorruptPartition;
  clockAhead: ClockAhead;
  offsetAheadOfLog: OffsetAheadOfLog;
  retentionBlocked: RetentionBlocked;
  retentionFailed: RetentionFailed;
  writeFailed: WriteFailed;
}

export type LogEventName = keyof LogEvents;

/** Callbacks by event; what they throw becomes a warning of the process. */
export type LogListeners = { [E in LogEventName]?: (event: LogEvents[E]) => void };

export const LOG_EVENTS: readonly LogEventName[] = [
  "tornTail",
  "corrupt",
  "clockAhead",
  "offsetAheadOfLog",
  "retentionBlocked",
  "retentionFailed",
  "writeFailed",
];

/** Tells all who have opened the log. */
export class LogEventHub {
  readonly #listeners = new Set<LogListeners>();

  add(listeners: LogListeners): void {
    this.#listeners.add(listeners);
  }

  remove(listeners: LogListeners): void {
    this.#listeners.delete(listeners);
  }

  /** @returns true when anybody listens. */
  emit<E extends LogEventName>(name: E, event: LogEvents[E]): boolean {
    let heard = false;
    for (const listeners of [...this.#listeners]) {
      heard ||= listeners[name] !== undefined;
      try {
        listeners[name]?.(event);
      } catch (error) {
        // A listener must not break an append or the opening of a log.
        process.emitWarning(`A listener of the log's event ${name} threw: ${String(error)}`);
      }
    }
    return heard;
  }
}
