import type { Clock } from "../types.ts";
import { BatchBuffer } from "./batch-buffer.ts";
import { FlushQueue } from "./flush-queue.ts";
import type { LogEventHub } from "./log-events.ts";
import type { ResolvedLogOptions } from "./log-options.ts";
import type { SegmentRules } from "./sealed-segment.ts";

/** Buffers kept for the next appends, and the largest that is. */
const MAX_FREE_BUFFERS = 8;
const MAX_FREE_BYTES: number = 4 * 1024 * 1024;

/** What a writer is made of. */
export interface WriterParts {
  /** Written into batches, and above all that is found. */
  readonly writerEpoch: number;
  readonly options: ResolvedLogOptions;
  readonly clock: Clock;
  readonly events: LogEventHub;
  /** Called after each write: something is to be synced within the interval. */
  readonly wrote: () => void;
  /** Called when a segment was sealed; must not throw. */
  readonly sealed?: () => void;
}

/** What all partitions of an open log share. */
export class Writer implements WriterParts {
  readonly writerEpoch: number;
  readonly options: ResolvedLogOptions;
  readonly clock: Clock;
  readonly events: LogEventHub;
  readonly wrote: () => void;
  readonly sealed: () => void;
  readonly segmentRules: SegmentRules;
  readonly flushes: FlushQueue;
  readonly #free: BatchBuffer[] = [];

  constructor({ writerEpoch, options, clock, events, wrote, sealed }: WriterParts) {
    this.writerEpoch = writerEpoch;
    this.options = options;
    this.clock = clock;
    this.events = events;
    this.wrote = wrote;
    this.sealed = sealed ?? (() => {});
    const { verify, cacheIndexes } = options;
    this.segmentRules = { maxEpoch: writerEpoch, verify, cacheIndexes };
    const waits = options.acknowledge === "buffered";
    this.flushes = new FlushQueue(clock, waits ? options.flush.intervalMs : undefined);
  }

  /** An empty buffer; give it back after use. */
  takeBuffer(): BatchBuffer {
    return this.#free.pop() ?? new BatchBuffer();
  }

  giveBuffer(buffer: BatchBuffer): void {
    buffer.clear();
    const keep = this.#free.length < MAX_FREE_BUFFERS && buffer.bytes.length <= MAX_FREE_BYTES;
    if (keep) this.#free.push(buffer);
  }
}
