import type { WorkerError } from "../../errors.ts";
import type { PlainRecord } from "../../plain-record.ts";
import type { PolledBatch } from "../../polled-batch.ts";
import type { SegmentInfo } from "../../types.ts";

/** A message that a thread sends back whole: the polling thread has it no more. */
export type ReturnedRecord = Omit<PlainRecord, "offset">;

/** Where a message is, as a thread names it. */
export interface MessagePlace {
  readonly offset: number;
  /** What collective marking means by "the same virtual partition" (O2). */
  readonly laneKey: number;
}

/** A lease whose calls run in threads: what the threads are told of it, and what its calls want. */
export interface HostedLease {
  /** Of the pool. */
  readonly id: number;
  /** Index of its module. */
  readonly module: number;
  readonly topic: string;
  readonly partition: number;
  readonly groupId: string;
  /** undefined outside of parallel segments. */
  readonly segment: SegmentInfo | undefined;
  readonly offsetMetadata: string | null;
  /** Flags of frames.ts, as they are now. */
  readonly flags: number;

  /** @param call The running call that marks; null when it has ended. */
  mark(place: MessagePlace, call: HostedCall | null, text: string | null): void;
  attachText(offset: number, text: string): void;
  collapseUntil(offset: number): void;
  pauseFor(ms: number): void;
  synchronize(fn: () => Promise<void>): Promise<void>;
  /** @param record Null: the message is one of the call's own. */
  deadLetter(
    call: HostedCall,
    place: MessagePlace,
    reason: string,
    record: ReturnedRecord | null,
  ): Promise<void>;
}

/**
 * How a call was lost with its thread (W3): `alone`, nothing else ran there; `among-others`; `not-started`, its handler
 * had not begun; `closed`, the thread was ended because the consumer closes.
 */
export type Loss = "alone" | "among-others" | "not-started" | "closed";

/** A handler call that runs in a thread, as the pool sees it. Each ends once: `done`, `failed` or `lost`. */
export interface HostedCall {
  readonly hosted: HostedLease;
  readonly virtualPartition: number;
  readonly attempt: number;
  readonly laneKey: number;
  /** Of a batch. */
  readonly lag: number;
  visitMessages(visit: (batch: PolledBatch, index: number) => void): void;
  /** Its handler has been started: seen some time later, and perhaps told twice. */
  started(): void;
  done(): void;
  failed(error: unknown): void;
  lost(error: WorkerError, how: Loss): void;
}
