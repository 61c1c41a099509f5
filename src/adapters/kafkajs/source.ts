/** A consumer group member over kafkajs. */
import { ClosedError, type HeadraceError, SourceError } from "../../errors.ts";
import type {
  CommitEntry,
  CommitOutcome,
  Lease,
  Source,
  SourceFactory,
  SourceListener,
} from "../../source/source.ts";
import type {
  ClientBatch,
  ClientConstructor,
  ClientConsumer,
  ClientEvents,
  FetchRequest,
} from "./client.ts";
import { Committer } from "./committer.ts";
import {
  consumerOptions,
  type GroupTimes,
  groupTimes,
  type KafkajsConfig,
  openClient,
} from "./config.ts";
import { errorType, sourceError } from "./errors.ts";
import type { KafkajsLease } from "./lease.ts";
import { loadClient } from "./load.ts";
import { type LeasesHost, MemberLeases, partitionsOf } from "./member-leases.ts";
import { Membership } from "./membership.ts";
import { probe } from "./probe.ts";
import { indexOfOffset, recordViews } from "./record-view.ts";
import type { Sockets } from "./sockets.ts";
import { deferred, settledWithin, untilAborted } from "./wait.ts";

/** What a source is opened for. */
export type GroupSpec = Parameters<SourceFactory["open"]>[0];

/**
 * The longest time one delivery holds the fetch loop, and with it kafkajs's heartbeats; the core
 * asks for 50 ms.
 */
const MAX_HOLD_MS = 1_000;
/** However small the budget, a fetch brings so much of a partition. */
const MIN_FETCH_BYTES = 64 * 1024;
/** What a failed start waits for its own disconnect. */
const FAILED_START_MS = 1_000;

export class KafkajsSource implements Source {
  readonly can = {
    drainOnRevoke: true,
    incremental: false,
    raw: false,
    topicIds: false,
  } as const;
  readonly sessionTimeoutMs: number;

  readonly #config: KafkajsConfig;
  readonly #group: GroupSpec;
  readonly #times: GroupTimes;
  readonly #membership: Membership;
  readonly #committer: Committer;
  readonly #leases: MemberLeases;
  readonly #firstAssignment = deferred();
  #listener: SourceListener | null = null;
  #consumer: ClientConsumer | null = null;
  #sockets: Sockets | null = null;
  #started = false;
  #stopping: Promise<void> | null = null;

  /**
   * @throws {RangeError} When the configured `rebalanceTimeout` leaves no room for the drain (rule
   * R7).
   */
  constructor(config: KafkajsConfig, group: GroupSpec) {
    this.#config = config;
    this.#group = group;
    this.#times = groupTimes(config, group.drainTimeoutMs);
    const { sessionTimeoutMs, heartbeatIntervalMs } = this.#times;
    this.sessionTimeoutMs = sessionTimeoutMs;
    const beatMs = Math.min(heartbeatIntervalMs, Math.ceil(sessionTimeoutMs / 3));
    this.#membership = new Membership(group.groupId, beatMs, group.clock, {
      drain: () => this.#drain(),
      owned: () => this.#leases.table.owned(),
      fetchBytes: () => this.#fetchBytes(),
      untilNeeded: (request) => this.#untilNeeded(request),
      fetched: (response) => this.#sockets?.memory.fetched(response),
      expelled: () => this.#leases.loseAll(),
      outOfRange: (topic, partition) => this.#leases.outOfRange(topic, partition),
    });
    this.#committer = new Committer(this.#membership, group.logger, (memberId) => {
      if (memberId === this.#membership.memberId) this.#leases.loseAll();
    });
    this.#leases = new MemberLeases(this.#leasesHost());
    // A source that is stopped before it started has nobody waiting here.
    this.#firstAssignment.promise.catch(() => {});
  }

  #leasesHost(): LeasesHost {
    const source = this;
    return {
      clock: this.#group.clock,
      membership: this.#membership,
      get stopping() {
        return source.#stopping !== null;
      },
      get consumer() {
        return source.#consumer;
      },
      tell: (what, act) => this.#guard(what, () => act(this.#listener as SourceListener)),
      fail: (error, fatal) => this.#fail(error, fatal),
      assigned: () => {
        this.#started = true;
        this.#firstAssignment.resolve();
      },
    };
  }

  /** F1: a partition's own share of the budget, so that one delivery does not take the shares of all. */
  #fetchBytes(): number {
    const { maxInFlightBytes = Number.POSITIVE_INFINITY } = this.#group;
    const partitions = Math.max(1, this.#leases.table.known().length);
    return Math.max(MIN_FETCH_BYTES, Math.floor(maxInFlightBytes / 2 / partitions));
  }

  /** A fetch asks for all partitions of a broker: the first that needs records ends the rest of all. */
  #untilNeeded({ topics = [] }: FetchRequest): Promise<void> | undefined {
    const rests: Promise<void>[] = [];
    for (const { topic, partitions } of topics) {
      for (const { partition } of partitions) {
        const lease = this.#leases.table.get(topic, partition);
        if (lease?.state !== "live") return undefined;
        const rest = this.#listener?.untilNeeded?.(lease, lease.fetchedMessages);
        if (rest === undefined) return undefined;
        rests.push(rest);
      }
    }
    return rests.length === 0 ? undefined : Promise.race(rests);
  }

  async start(listener: SourceListener): Promise<void> {
    this.#listener = listener;
    try {
      await this.#connect();
      await this.#firstAssignment.promise;
    } catch (error) {
      this.#stopping ??= this.#disconnect(true);
      await settledWithin(this.#stopping, FAILED_START_MS, this.#group.clock);
      this.#sockets?.destroy();
      throw error;
    }
  }

  async #connect(): Promise<void> {
    const Kafka = await loadClient(this.#config.Kafka as ClientConstructor | undefined);
    await probe(Kafka, this.#config, this.#group);
    this.#refuseWhenStopping();
    const { client, sockets } = openClient(Kafka, this.#config, {
      longRetry: true,
      logger: this.#group.logger,
    });
    this.#sockets = sockets;
    const consumer = client.consumer(
      consumerOptions(this.#config, this.#times, {
        groupId: this.#group.groupId,
        assigner: this.#membership.assigner,
        mayRestart: () => this.#stopping === null,
      }),
    );
    this.#consumer = consumer;
    if (this.#membership.cluster === null) {
      throw new SourceError(
        "Cannot start as the client must hand its cluster to partition assigners: " +
          "received a client that differs from kafkajs 2.2",
      );
    }
    this.#listen(consumer);
    await this.#run(consumer);
  }

  async #run(consumer: ClientConsumer): Promise<void> {
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...this.#group.topics] });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: true,
        partitionsConsumedConcurrently: 1,
        eachBatch: async ({ batch }) => this.#guard("deliver", () => this.#deliver(batch)),
      });
    } catch (error) {
      this.#refuseWhenStopping();
      throw sourceError("Cannot start as the group must be joined", error);
    }
  }

  #listen(consumer: ClientConsumer): void {
    const on = <E extends keyof ClientEvents>(
      event: E,
      handle: (payload: ClientEvents[E]) => void,
    ): unknown => consumer.on(event, ({ payload }) => this.#guard(event, () => handle(payload)));
    on("consumer.group_join", ({ memberAssignment }) => this.#leases.joined(memberAssignment));
    on("consumer.end_batch_process", (end) => {
      if (end.batchSize === 0) this.#advance(end);
    });
    // kafkajs stops itself before it reports a crash; its group object is gone from here on.
    on("consumer.stop", () => this.#leases.loseAll());
    on("consumer.crash", ({ error, restart }) => this.#crashed(error, restart));
  }

  /** Nothing that goes wrong in a listener may reach kafkajs: it would restart the consumer. */
  #guard<R>(what: string, act: () => R): R | undefined {
    if (this.#stopping !== null) return undefined;
    try {
      return act();
    } catch (error) {
      this.#fail(
        sourceError(`Cannot go on as the listener must not throw on ${what}`, error),
        true,
      );
      return undefined;
    }
  }

  #fail(error: HeadraceError, fatal: boolean): void {
    if (this.#stopping !== null) return;
    if (fatal && !this.#started) this.#firstAssignment.reject(error);
    else this.#listener?.failed(error, fatal);
  }

  #crashed(error: Error, restart: boolean): void {
    this.#leases.loseAll();
    const rule = restart
      ? "Cannot consume for a moment as kafkajs restarts its consumer"
      : "Cannot go on consuming as kafkajs has given up";
    this.#fail(sourceError(rule, error, { retriable: restart }), !restart);
  }

  #drain(): Promise<void> {
    const { rebalanceTimeoutMs, heartbeatIntervalMs, fetchWaitMs } = this.#times;
    // The group's clock began when the first member came or left, up to a heartbeat and a fetch
    // before we noticed.
    return this.#leases.drain(rebalanceTimeoutMs - heartbeatIntervalMs - fetchWaitMs);
  }

  #deliver(batch: ClientBatch): void | Promise<void> {
    const lease = this.#leases.table.get(batch.topic, batch.partition);
    if (lease === undefined || lease.state !== "live" || lease.position < 0) return;
    if (Number(batch.fetchedOffset) > lease.position) {
      // The client moved on without us (a batch of an older join, a reset): back to where we are,
      // or records are lost.
      return this.#leases.seekClient(lease);
    }
    const { messages } = batch;
    const first = indexOfOffset(messages, lease.position);
    const nextOffset = Number(batch.lastOffset()) + 1;
    if (first === messages.length)
      return this.#advance({ ...batch, lastOffset: batch.lastOffset() });
    const highWatermark = Number(batch.highWatermark);
    lease.position = nextOffset;
    lease.fetchedMessages = messages.length - first;
    const memory = this.#sockets?.memory.of(batch.rawMessages);
    let held: undefined | Promise<void>;
    for (const { records, endOffset } of recordViews(messages, first, memory)) {
      const delivery = { lease, records, nextOffset: endOffset ?? nextOffset, highWatermark };
      held = this.#listener?.deliver(delivery) ?? held;
      // A handler may have ended the lease, or sought elsewhere: the rest is not wanted.
      if (lease.state !== "live" || lease.position !== nextOffset) break;
    }
    memory?.release();
    if (held === undefined) return;
    return settledWithin(held, MAX_HOLD_MS, this.#group.clock).then(() => {});
  }

  #advance(end: { topic: string; partition: number; lastOffset: string }): void {
    const lease = this.#leases.table.get(end.topic, end.partition);
    const nextOffset = Number(end.lastOffset) + 1;
    if (lease === undefined || lease.state !== "live" || lease.position < 0) return;
    if (nextOffset <= lease.position) return;
    lease.position = nextOffset;
    this.#listener?.advanced(lease, nextOffset);
  }

  pause(lease: Lease): void {
    const own = lease as KafkajsLease;
    own.paused = true;
    if (own.state === "live" && own.position >= 0) this.#consumer?.pause(partitionsOf([own]));
  }

  resume(lease: Lease): void {
    const own = lease as KafkajsLease;
    own.paused = false;
    if (own.state === "live" && own.position >= 0) this.#consumer?.resume(partitionsOf([own]));
  }

  seek(lease: Lease, offset: number): void {
    const own = lease as KafkajsLease;
    if (own.state !== "live") return;
    own.position = offset;
    this.#leases.seekClient(own);
  }

  commit(entries: readonly CommitEntry[], signal: AbortSignal): Promise<readonly CommitOutcome[]> {
    return this.#committer.commit(entries, signal);
  }

  #refuseWhenStopping(): void {
    if (this.#stopping !== null) {
      throw new ClosedError("Cannot start as the source must not be stopped: received stop()");
    }
  }

  async stop({ leave, signal }: { leave: boolean; signal: AbortSignal }): Promise<void> {
    this.#stopping ??= this.#disconnect(leave);
    // Given up: the sockets are destroyed below, which ends whatever kafkajs still waits for.
    await untilAborted(this.#stopping, signal).catch(() => {});
    this.#sockets?.destroy();
  }

  async #disconnect(leave: boolean): Promise<void> {
    this.#membership.stop(!leave);
    this.#leases.endAll();
    this.#sockets?.refuse();
    this.#firstAssignment.reject(
      new ClosedError("Cannot start as the source must not be stopped: received stop()"),
    );
    try {
      await this.#consumer?.disconnect();
    } catch (error) {
      // The group finds out by itself, after the session timeout.
      this.#group.logger.debug("kafkajs disconnect failed", { type: errorType(error) });
    }
  }
}
