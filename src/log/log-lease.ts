import type { Lease, SourceBatch } from "../source/source.ts";
import type { Clock } from "../types.ts";
import { storedChecksum, storedEpoch } from "./format.ts";
import type { AssignedPartition, GroupMember, Ownership } from "./group-coordinator.ts";
import type { LockedGroup } from "./locked-group.ts";
import { RawRecords } from "./raw-records.ts";
import { isOutOfRange, outOfRange, type StoredBatch } from "./read-batches.ts";
import { ReadChunks } from "./read-chunks.ts";
import type { ReaderPartition } from "./reader-partition.ts";
import type { ReaderTopic } from "./reader-topic.ts";
import { joinRun, takeRun } from "./stored-run.ts";
import { LOOK_MS } from "./watch-file.ts";

/** Most bytes that one read takes, unless a batch is larger. */
const FETCH_BYTES: number = 1 << 20;
/** Wait before a read that failed is tried again. */
const READ_RETRY_MS = 1000;

/** The member that a lease belongs to. */
export interface LeaseOwner extends GroupMember {
  readonly clock: Clock;
  deliver(batch: SourceBatch): void | Promise<void>;
  /** Settles when the lease needs records; undefined: now. */
  untilNeeded(lease: Lease): Promise<void> | undefined;
  /** The position moved without records. */
  advanced(lease: Lease, nextOffset: number): void;
  /** @returns true when there is no use in reading again. */
  readFailed(error: unknown, lease: Lease): boolean;
  /** The log has nothing at the lease's position, or not what was there: the lease is over. */
  outOfRange(lease: LogLease, position: number): void;
  listenerThrew(error: unknown): void;
}

/** What tells a stored batch from another one at the same offset. */
interface BatchMark {
  readonly offset: number;
  readonly checksum: number;
  readonly epoch: number;
}

/**
 * One ownership period: a loop that reads a partition and hands it over, one run of stored batches
 * at a time.
 */
export class LogLease implements Ownership {
  readonly lease: Lease;
  readonly member: LeaseOwner;
  readonly topic: ReaderTopic;
  readonly log: ReaderPartition;
  readonly offsets: LockedGroup;
  readonly generation: number;
  /** Settles when the loop has ended; never rejects. */
  ran: Promise<void> = Promise.resolve();
  #position = 0;
  /** Read and not handed over. Emptied by a seek. */
  #ready: StoredBatch[] = [];
  readonly #chunks = new ReadChunks(FETCH_BYTES);
  /** The last batch that was read. */
  #last: BatchMark | undefined;
  /** The position was inside the log before. */
  #wasInside = false;
  #paused = false;
  /** A drain is going on. */
  #held = false;
  #ended = false;
  /** Ends the loop's wait. */
  #wake: () => void = () => {};

  constructor({ topic, log, offsets }: AssignedPartition, generation: number, member: LeaseOwner) {
    this.lease = Object.freeze({ topic: topic.name, partition: log.place.partition });
    this.topic = topic;
    this.log = log;
    this.offsets = offsets;
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
    this.#last = undefined;
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
    const stopWaking = this.log.onWrite(() => this.#wake());
    try {
      while (!this.#ended) {
        // Also gives way to the event loop between deliveries, and keeps them out of the turn that
        // appends.
        await new Promise<void>((resolve) => this.member.clock.defer(resolve));
        await this.#turn();
      }
    } finally {
      stopWaking();
    }
  }

  async #turn(): Promise<void> {
    await this.member.untilNeeded(this.lease);
    if (this.#ended) return;
    if (this.#paused || this.#held) return this.#wait();
    let batch: SourceBatch | undefined;
    try {
      batch = this.#next();
    } catch (error) {
      this.#ready = [];
      if (isOutOfRange(error)) return this.#outside();
      if (this.member.readFailed(error, this.lease)) this.#ended = true;
      return this.#wait(READ_RETRY_MS);
    }
    if (batch === undefined) {
      this.#chunks.clear();
      return this.#wait(LOOK_MS);
    }
    try {
      await this.member.deliver(batch);
    } catch (error) {
      this.member.listenerThrew(error);
    }
  }

  /** Until somebody wakes the loop, or the time is over. */
  async #wait(ms?: number): Promise<void> {
    if (this.#ended) return;
    const { clock } = this.member;
    let timer: unknown;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (ms !== undefined) timer = clock.setTimer(resolve, ms);
    });
    if (ms !== undefined) clock.clearTimer(timer);
    this.#wake = () => {};
  }

  /**
   * The next delivery, with the position moved past it: a seek from inside the delivery counts
   * after it. None at the end of the log.
   */
  #next(): SourceBatch | undefined {
    if (this.#ready.length === 0) this.#fill();
    const run = takeRun(this.#ready);
    if (run.length === 0) return this.#passHole();
    const stored = joinRun(run);
    const records = new RawRecords(stored, this.#position, this.#chunks.lend());
    const nextOffset = stored.baseOffset + stored.count;
    this.#position = nextOffset;
    return { lease: this.lease, records, nextOffset, highWatermark: this.log.logEnd };
  }

  /** Nothing was read: at the end of the log, or all up to there was set aside as damaged. */
  #passHole(): undefined {
    if (this.#position === this.log.logEnd) return;
    this.#position = this.log.logEnd;
    this.member.advanced(this.lease, this.#position);
  }

  /** @throws {LogError} When the position lies outside the log. */
  #fill(): void {
    this.log.refresh();
    const batches = this.#chunks.fill((into) => this.log.read(this.#position, FETCH_BYTES, into));
    const [first] = batches;
    if (first !== undefined && !this.#follows(first)) {
      throw outOfRange(this.#position, this.log.logStart, first.baseOffset);
    }
    this.#wasInside = true;
    this.#ready = batches;
    const last = batches.at(-1);
    if (last !== undefined) this.#last = markOf(last);
  }

  /**
   * False when the log was cut below the position and has grown past it since (a power loss under
   * another machine's reader): only a new writer can have done that, and it writes its epoch.
   */
  #follows(next: StoredBatch): boolean {
    const last = this.#last;
    if (last === undefined || storedEpoch(next.bytes, 0) === last.epoch) return true;
    try {
      const [again] = this.log.read(last.offset, 1);
      return again !== undefined && isSame(markOf(again), last);
    } catch (error) {
      // Retention has removed it, so there is nothing to compare.
      if (isOutOfRange(error)) return true;
      throw error;
    }
  }

  async #outside(): Promise<void> {
    if (this.#wasInside) return this.member.outOfRange(this, this.#position);
    // A start that lies outside is not answered at once, or the two could chase each other.
    this.#wasInside = true;
    await this.#wait(READ_RETRY_MS);
  }
}

function markOf({ baseOffset, bytes }: StoredBatch): BatchMark {
  return {
    offset: baseOffset,
    checksum: storedChecksum(bytes, 0),
    epoch: storedEpoch(bytes, 0),
  };
}

function isSame(one: BatchMark, other: BatchMark): boolean {
  return one.offset === other.offset && one.checksum === other.checksum;
}
