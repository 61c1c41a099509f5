import type { Lease, SourceBatch } from "../source/source.ts";
import type { Clock } from "../types.ts";
import type { AssignedPartition, GroupMember, Ownership } from "./group-coordinator.ts";
import type { PartitionLog } from "./partition-log.ts";
import { RawRecords } from "./raw-records.ts";
import type { StoredBatch } from "./read-batches.ts";
import type { TopicLog } from "./topic-log.ts";

/** Most bytes that one read takes, unless a batch is larger. */
const FETCH_BYTES: number = 1 << 20;
/** Wait before a read that failed is tried again. */
const READ_RETRY_MS = 1000;

/** The member that a lease belongs to. */
export interface LeaseOwner extends GroupMember {
  readonly clock: Clock;
  deliver(batch: SourceBatch): void | Promise<void>;
  /** @returns true when there is no use in reading again. */
  readFailed(error: unknown, lease: Lease): boolean;
  listenerThrew(error: unknown): void;
}

/**
 * One ownership period: a loop that reads a partition and hands it over, one stored batch at a
 * time.
 */
export class LogLease implements Ownership {
  readonly lease: Lease;
  readonly member: LeaseOwner;
  readonly topic: TopicLog;
  readonly log: PartitionLog;
  readonly generation: number;
  /** Settles when the loop has ended; never rejects. */
  ran: Promise<void> = Promise.resolve();
  #position = 0;
  /** Read and not handed over. Emptied by a seek. */
  #ready: StoredBatch[] = [];
  #paused = false;
  /** A drain is going on. */
  #held = false;
  #ended = false;
  /** Ends the loop's wait. */
  #wake: () => void = () => {};

  constructor({ topic, log }: AssignedPartition, generation: number, member: LeaseOwner) {
    this.lease = Object.freeze({ topic: topic.name, partition: log.place.partition });
    this.topic = topic;
    this.log = log;
    this.generation = generation;
    this.member = member;
  }

  /** Starts to hand over from the offset on. */
  begin(offset: number): void {
    this.#position = offset;
    if (!this.#ended) this.ran = this.#run();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  seek(offset: number): void {
    this.#position = offset;
    this.#ready = [];
    this.#wake();
  }

  /** Hands over nothing while a drain goes on. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#ready = [];
    this.#wake();
  }

  async #run(): Promise<void> {
    const stopWaking = this.log.onAppend(() => this.#wake());
    try {
      while (!this.#ended) {
        // Also gives way to the event loop between deliveries, and keeps them out of the turn that
        // appends.
        await new Promise<void>((resolve) => this.member.clock.defer(resolve));
        if (this.#idle()) await this.#waitForWork();
        else await this.#handOver();
      }
    } finally {
      stopWaking();
    }
  }

  #idle(): boolean {
    return this.#paused || this.#held || this.#position >= this.log.logEnd;
  }

  async #waitForWork(): Promise<void> {
    if (this.#ended) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = () => {};
  }

  async #handOver(): Promise<void> {
    const batch = this.#next();
    if (batch === undefined) {
      await this.#waitToRetry();
      return;
    }
    try {
      await this.member.deliver(batch);
    } catch (error) {
      this.member.listenerThrew(error);
    }
  }

  /**
   * The next delivery, with the position moved past it: a seek from inside the delivery counts
   * after it.
   */
  #next(): SourceBatch | undefined {
    if (this.#ended) return undefined;
    try {
      // Only retention takes records away below a position; the core has dealt with it by O11.
      this.#position = Math.max(this.#position, this.log.logStart);
      if (this.#ready.length === 0) this.#ready = this.log.read(this.#position, FETCH_BYTES);
      const stored = this.#ready.shift()!;
      const records = new RawRecords(stored, this.#position);
      const nextOffset = stored.baseOffset + stored.count;
      this.#position = nextOffset;
      return { lease: this.lease, records, nextOffset, highWatermark: this.log.logEnd };
    } catch (error) {
      this.#ready = [];
      if (this.member.readFailed(error, this.lease)) this.#ended = true;
      return undefined;
    }
  }

  async #waitToRetry(): Promise<void> {
    if (this.#ended) return;
    const timer = this.member.clock.setTimer(() => this.#wake(), READ_RETRY_MS);
    await this.#waitForWork();
    this.member.clock.clearTimer(timer);
  }
}
