/** Sends what waits for the partitions: when, in which batches, and again when it has to be. */
import { invariant } from "../invariant.ts";
import type { Sink, SinkBatch, SinkOutcome } from "../source/source.ts";
import type { Clock, TimerHandle } from "../types.ts";
import { toSinkRecord } from "./checked-record.ts";
import type { ResolvedDelivery } from "./delivery.ts";
import { PartitionQueue } from "./partition-queue.ts";
import type { Chunk } from "./produce-call.ts";
import type { LingerOptions } from "./producer-options.ts";

/** Waits before a batch is sent again: 100 ms, doubled each time up to 1 s. */
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 1000;

/** Records that are worth a round trip of their own. */
const FULL_MESSAGES = 1000;

/** A batch on its way. */
export interface Request {
  readonly queue: PartitionQueue;
  readonly chunks: readonly Chunk[];
  /** The same object however often it is sent. */
  readonly batch: SinkBatch;
  readonly delivery: ResolvedDelivery;
  /** When its first record had got room in the buffer. */
  readonly bufferedAtMs: number;
  readonly firstSentAtMs: number;
  sentAtMs: number;
  attempts: number;
  /** Waits to be sent again. */
  timer: TimerHandle | null;
  /** Given up while it was on its way: its answer comes too late. */
  abandoned: boolean;
}

/** Where a batch was stored. */
export type Stored = Exclude<SinkOutcome, { readonly error: unknown }>;

/** Whom the sender tells. */
export interface SenderHost {
  readonly clock: Clock;
  readonly linger: Readonly<Required<LingerOptions>>;
  /** Nothing lingers: somebody waits. */
  readonly hurried: boolean;
  openSink(): Promise<Sink>;
  stored(request: Request, outcome: Stored): void;
  failed(request: Request, cause: unknown): void;
  /** They were not sent in time. */
  expired(queue: PartitionQueue, chunks: readonly Chunk[]): void;
  retrying(request: Request, cause: unknown): void;
}

/** At most one request of a partition is on its way, so its records are stored in the order in which they came. */
export class Sender {
  readonly #host: SenderHost;
  /** By topic and partition. */
  readonly #queues = new Map<string, PartitionQueue[]>();
  /** Queues that linger no longer. */
  readonly #due = new Set<PartitionQueue>();
  readonly #requests = new Set<Request>();
  /** Requests whose wait before another attempt is over. */
  #again: Request[] = [];
  #dispatching = false;

  constructor(host: SenderHost) {
    this.#host = host;
  }

  /** Batches on their way. */
  get requestCount(): number {
    return this.#requests.size;
  }

  add(topic: string, partition: number, chunk: Chunk): void {
    const queue = this.#queueOf(topic, partition);
    queue.add(chunk);
    this.#linger(queue);
  }

  /** Looks again at what lingers. */
  hurry(): void {
    for (const queues of this.#queues.values()) {
      for (const queue of queues) this.#linger(queue);
    }
  }

  /**
   * Takes everything back: what waits, and what is on its way, whose answers are not looked at any more.
   *
   * @param giveUp Called for what is taken back.
   */
  abandon(giveUp: (queue: PartitionQueue, chunks: readonly Chunk[]) => void): void {
    const { clock } = this.#host;
    for (const request of this.#requests) {
      request.abandoned = true;
      if (request.timer !== null) clock.clearTimer(request.timer);
      giveUp(request.queue, request.chunks);
    }
    this.#requests.clear();
    this.#again = [];
    for (const queues of this.#queues.values()) {
      for (const queue of queues) {
        this.#stopLinger(queue);
        if (queue.messageCount > 0) giveUp(queue, queue.takeAll());
      }
    }
  }

  #queueOf(topic: string, partition: number): PartitionQueue {
    let queues = this.#queues.get(topic);
    if (queues === undefined) {
      queues = [];
      this.#queues.set(topic, queues);
    }
    let queue = queues[partition];
    if (queue === undefined) {
      // No holes: such arrays are slow.
      for (let next = queues.length; next <= partition; next++) {
        queues.push(new PartitionQueue(topic, next));
      }
      queue = queues[partition] as PartitionQueue;
    }
    return queue;
  }

  /** Decides whether what waits may go, or starts its time. */
  #linger(queue: PartitionQueue): void {
    if (queue.messageCount === 0 || this.#due.has(queue)) return;
    const { clock, linger, hurried } = this.#host;
    const { ms, maxMessages, maxBytes } = linger;
    const enough = queue.messageCount >= maxMessages || queue.byteLength >= maxBytes;
    if (ms === 0 || enough || hurried) {
      this.#due.add(queue);
      this.#dispatchSoon();
    } else {
      queue.timer ??= clock.setTimer(() => {
        queue.timer = null;
        this.#due.add(queue);
        this.#dispatchSoon();
      }, ms);
    }
  }

  #stopLinger(queue: PartitionQueue): void {
    if (queue.timer !== null) this.#host.clock.clearTimer(queue.timer);
    queue.timer = null;
  }

  /** Everything that is produced in this turn travels together. */
  #dispatchSoon(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    queueMicrotask(() => {
      this.#dispatching = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    const sending = this.#again;
    this.#again = [];
    for (const queue of this.#due) {
      // Its turn comes again when the request on its way has settled.
      if (queue.inFlight) continue;
      this.#due.delete(queue);
      this.#stopLinger(queue);
      const request = this.#take(queue);
      if (request !== null) sending.push(request);
    }
    const byDelivery = new Map<ResolvedDelivery, Request[]>();
    for (const request of sending) {
      const same = byDelivery.get(request.delivery);
      if (same === undefined) byDelivery.set(request.delivery, [request]);
      else same.push(request);
    }
    for (const [delivery, requests] of byDelivery) {
      for (const together of partRequests(requests)) void this.#send(delivery, together);
    }
  }

  /** @returns The next batch of the queue; null when nothing in it may still be sent. */
  #take(queue: PartitionQueue): Request | null {
    const { clock, linger } = this.#host;
    const nowMs = clock.now();
    while (queue.messageCount > 0) {
      const taken = queue.take(linger.maxMessages, linger.maxBytes);
      const { deliveryTimeoutMs } = (taken[0] as Chunk).delivery;
      // Those that waited behind others that failed; with 0 everything is sent once.
      const earliestMs =
        deliveryTimeoutMs === 0 ? Number.NEGATIVE_INFINITY : nowMs - deliveryTimeoutMs - linger.ms;
      const late = taken.filter(({ bufferedAtMs }) => bufferedAtMs < earliestMs);
      if (late.length > 0) this.#host.expired(queue, late);
      const inTime = taken.filter(({ bufferedAtMs }) => bufferedAtMs >= earliestMs);
      if (inTime.length > 0) return this.#request(queue, inTime, nowMs);
    }
    return null;
  }

  #request(queue: PartitionQueue, chunks: readonly Chunk[], nowMs: number): Request {
    const { topic, partition } = queue;
    const { bufferedAtMs, delivery } = chunks[0] as Chunk;
    const records: SinkBatch["records"][number][] = [];
    for (const chunk of chunks)
      for (const record of chunk.records) records.push(toSinkRecord(record));
    queue.inFlight = true;
    const request: Request = {
      queue,
      chunks,
      batch: { topic, partition, records },
      delivery,
      bufferedAtMs,
      firstSentAtMs: nowMs,
      sentAtMs: nowMs,
      attempts: 0,
      timer: null,
      abandoned: false,
    };
    this.#requests.add(request);
    return request;
  }

  /** Never rejects. */
  async #send(delivery: ResolvedDelivery, requests: readonly Request[]): Promise<void> {
    const batches = requests.map(({ batch }) => batch);
    const nowMs = this.#host.clock.now();
    for (const request of requests) {
      request.sentAtMs = nowMs;
      request.attempts += 1;
    }
    let outcomes: readonly SinkOutcome[] = [];
    let failure: unknown;
    try {
      const sink = await this.#host.openSink();
      outcomes = await sink.send(batches, delivery);
      invariant(outcomes.length === batches.length, "a sink answers once per batch");
    } catch (error) {
      outcomes = [];
      failure = error;
    }
    for (const [i, request] of requests.entries()) this.#answered(request, outcomes[i], failure);
    // A queue whose time ran out while its request was on its way.
    if (this.#due.size > 0) this.#dispatchSoon();
  }

  #answered(request: Request, outcome: SinkOutcome | undefined, failure: unknown): void {
    if (request.abandoned) return;
    const { queue } = request;
    if (outcome !== undefined && !("error" in outcome)) {
      this.#end(request);
      this.#host.stored(request, outcome);
    } else {
      const cause = outcome?.error ?? failure;
      if (outcome?.sendAgain === true && this.#retry(request, cause)) return;
      this.#end(request);
      if (outcome?.sendParts === true && request.chunks.length > 1) {
        // One bad record must not take those of other calls with it.
        queue.putBack(request.chunks);
        this.#due.add(queue);
        return;
      }
      this.#host.failed(request, cause);
    }
    this.#linger(queue);
  }

  #end(request: Request): void {
    request.queue.inFlight = false;
    this.#requests.delete(request);
  }

  /** @returns false when there is no time left. */
  #retry(request: Request, cause: unknown): boolean {
    const { clock } = this.#host;
    const { attempts, bufferedAtMs, delivery } = request;
    const waitMs = Math.min(FIRST_BACKOFF_MS * 2 ** (attempts - 1), MAX_BACKOFF_MS);
    if (clock.now() + waitMs - bufferedAtMs > delivery.deliveryTimeoutMs) return false;
    request.timer = clock.setTimer(() => {
      request.timer = null;
      this.#again.push(request);
      this.#dispatchSoon();
    }, waitMs);
    this.#host.retrying(request, cause);
    return true;
  }
}

/** Small batches travel together. A large one does not wait for the answer to others, nor they for its. */
function partRequests(requests: readonly Request[]): readonly (readonly Request[])[] {
  const parts: Request[][] = [];
  let part: Request[] = [];
  let messages = 0;
  for (const request of requests) {
    part.push(request);
    messages += request.batch.records.length;
    if (messages < FULL_MESSAGES) continue;
    parts.push(part);
    part = [];
    messages = 0;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
