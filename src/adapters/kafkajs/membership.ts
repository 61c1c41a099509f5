/**
 * The group member below kafkajs's consumer: its coordinator, member id and generation, and the
 * revoke hook.
 *
 * kafkajs offers no hook, but it hands its cluster to partition assigners, and it asks that cluster
 * for the group coordinator exactly once before every join. There the drain happens: the group
 * waits for our JoinGroup, and commits of the old generation are still stored. Afterwards nothing
 * can be sent any more, for a JoinGroup that waits for slower members blocks its connection.
 */
import type { Clock, TimerHandle } from "../../types.ts";
import { hideAborted } from "./aborted.ts";
import { assigner } from "./assigner.ts";
import type {
  ClientAssigner,
  ClientBroker,
  ClientCluster,
  FetchRequest,
  FetchResponse,
} from "./client.ts";
import { errorType } from "./errors.ts";
import type { OwnedPartitions } from "./owned-partitions.ts";
import { delay } from "./wait.ts";

/** What the member asks of the source. */
export interface MembershipOwner {
  /** Finishes the work of all leases. Never rejects. */
  drain(): Promise<void>;
  /** What the leader of the group is told at a join, after the drain (rule R9). */
  owned(): OwnedPartitions;
  /** Most bytes that a fetch shall bring of one partition (F1). */
  fetchBytes(): number;
  /** Settles when one of the partitions that a fetch shall ask for needs records; undefined: now. */
  untilNeeded(request: FetchRequest): Promise<void> | undefined;
  /** What a fetch has brought, before kafkajs hands it on. */
  fetched(response: FetchResponse): void;
  /** The broker has thrown the member out. */
  expelled(): void;
  /** The fetch position of a partition lies outside the log. */
  outOfRange(topic: string, partition: number): void;
}

/** Error types of a heartbeat that end the membership. */
const EXPELLED_TYPES: ReadonlySet<string> = new Set([
  "UNKNOWN_MEMBER_ID",
  "ILLEGAL_GENERATION",
  "FENCED_INSTANCE_ID",
]);

function limitPartitions(request: FetchRequest, maxBytes: number): void {
  for (const { partitions } of request.topics ?? []) {
    for (const partition of partitions) {
      partition.maxBytes = Math.min(partition.maxBytes, maxBytes);
    }
  }
}

/**
 * kafkajs puts what followed the last response, nothing, before the next one, and copies both into memory of its own;
 * a response alone it takes as it is.
 */
function dropEmptyRemainders({ connectionPool }: ClientBroker): void {
  for (const connection of connectionPool?.pool ?? []) {
    if (connection.chunks?.every(({ length }) => length === 0)) connection.chunks = [];
  }
}

/** Between fetches when connections are closed as soon as they are made. */
const RECONNECT_PAUSE_MS = 200;

export class Membership {
  readonly groupId: string;
  readonly #heartbeatMs: number;
  readonly #clock: Clock;
  readonly #owner: MembershipOwner;
  readonly #patched = new WeakSet<ClientBroker>();
  #cluster: ClientCluster | null = null;
  #find: ((request: { groupId: string }) => Promise<ClientBroker>) | null = null;
  #coordinator: ClientBroker | null = null;
  #refinding: Promise<void> | null = null;
  #memberId = "";
  #generation = -1;
  /** One drain per generation: set at the join, so that retries inside a join pass. */
  #armed = false;
  #stays = false;
  #stopped = false;

  constructor(groupId: string, heartbeatMs: number, clock: Clock, owner: MembershipOwner) {
    this.groupId = groupId;
    this.#heartbeatMs = heartbeatMs;
    this.#clock = clock;
    this.#owner = owner;
  }

  get memberId(): string {
    return this.#memberId;
  }

  get generation(): number {
    return this.#generation;
  }

  /** null before the consumer was made, or when the client has another shape than kafkajs 2. */
  get cluster(): ClientCluster | null {
    return this.#cluster;
  }

  /** null before the first join. Survives a broker's restart: the object reconnects. */
  get coordinator(): ClientBroker | null {
    return this.#coordinator;
  }

  /** kafkajs's partition assigner factory; called once, when the consumer is made. */
  readonly assigner = ({ cluster }: { cluster: ClientCluster }): ClientAssigner => {
    if (typeof cluster?.findGroupCoordinator === "function") this.#attach(cluster);
    return assigner(cluster, () => this.#owner.owned());
  };

  /** The next join drains first. */
  arm(): void {
    this.#armed = true;
  }

  /** The leases are gone already: the next join drains nothing. */
  disarm(): void {
    this.#armed = false;
  }

  /** No join from now on. `stays`: disconnect without telling the group. */
  stop(stays: boolean): void {
    this.#stopped = true;
    this.#stays = stays;
  }

  /** Looks the coordinator up again, once at a time. Rejects when kafkajs gives up. */
  refind(): Promise<void> {
    this.#refinding ??= this.#lookUp().finally(() => {
      this.#refinding = null;
    });
    return this.#refinding;
  }

  async #lookUp(): Promise<void> {
    await this.#cluster?.refreshMetadata();
    this.#coordinator = (await this.#find?.({ groupId: this.groupId })) ?? null;
  }

  #attach(cluster: ClientCluster): void {
    this.#cluster = cluster;
    const find = cluster.findGroupCoordinator.bind(cluster);
    const findBroker = cluster.findBroker.bind(cluster);
    const removeBroker = cluster.removeBroker.bind(cluster);
    const refreshMetadata = cluster.refreshMetadataIfNecessary.bind(cluster);
    this.#find = find;
    // kafkajs forgets a broker whose connection closed, and crashes when none is left: a new member
    // id and a session timeout. The last one is kept, for it reconnects by itself.
    cluster.removeBroker = (address) => {
      if (cluster.getNodeIds().length > 1) removeBroker(address);
    };
    cluster.findBroker = async (request) => {
      const broker = await this.#calmly(findBroker(request));
      if (!this.#patched.has(broker)) this.#patch(broker);
      return broker;
    };
    cluster.refreshMetadataIfNecessary = () => this.#calmly(refreshMetadata());
    cluster.findGroupCoordinator = async (request) => {
      if (this.#armed) {
        this.#armed = false;
        await this.#drain();
      }
      if (this.#stopped) throw new Error("the source is stopped");
      this.#coordinator = await find(request);
      return this.#coordinator;
    };
  }

  /**
   * Around every request of kafkajs's fetch. When a connection is closed it fetches again at once:
   * a proxy without a broker behind it would be stormed with connections.
   */
  async #calmly<T>(part: Promise<T>): Promise<T> {
    try {
      return await part;
    } catch (error) {
      const closed = (error as { name?: string }).name === "KafkaJSConnectionClosedError";
      if (closed) await delay(RECONNECT_PAUSE_MS, this.#clock);
      throw error;
    }
  }

  #patch(broker: ClientBroker): void {
    this.#patched.add(broker);
    const joinGroup = broker.joinGroup.bind(broker);
    const leaveGroup = broker.leaveGroup.bind(broker);
    const fetch = broker.fetch.bind(broker);
    const offsetFetch = broker.offsetFetch.bind(broker);
    broker.joinGroup = async (request) => {
      const joined = await joinGroup(request);
      this.#memberId = joined.memberId;
      this.#generation = joined.generationId;
      return joined;
    };
    broker.leaveGroup = async (request) => (this.#stays ? undefined : leaveGroup(request));
    broker.offsetFetch = (request) => this.#calmly(offsetFetch(request));
    broker.fetch = async (request) => {
      try {
        await this.#owner.untilNeeded(request);
        limitPartitions(request, this.#owner.fetchBytes());
        dropEmptyRemainders(broker);
        const response = await this.#calmly(fetch(request));
        hideAborted(response);
        this.#owner.fetched(response);
        return response;
      } catch (error) {
        const failed = error as { name?: string; topic?: string; partition?: number };
        if (failed.name !== "KafkaJSOffsetOutOfRange") throw error;
        // Left to itself kafkajs would commit -1 or -2 here, which erases the stored offset and its
        // metadata.
        this.#owner.outOfRange(failed.topic as string, failed.partition as number);
        return { responses: [] };
      }
    };
  }

  /**
   * The drain, with heartbeats of our own: kafkajs sends none while it waits for the coordinator.
   */
  async #drain(): Promise<void> {
    let end = (): void => {};
    const expelled = new Promise<void>((resolve) => {
      end = resolve;
    });
    const stopBeating = this.#beat(() => {
      this.#owner.expelled();
      end();
    });
    try {
      await Promise.race([this.#owner.drain(), expelled]);
    } finally {
      stopBeating();
    }
  }

  #beat(onExpelled: () => void): () => void {
    const { groupId, memberId, generation } = this;
    let timer: TimerHandle;
    let going = true;
    const beat = async (): Promise<void> => {
      try {
        await this.#coordinator?.heartbeat({ groupId, memberId, groupGenerationId: generation });
      } catch (error) {
        // REBALANCE_IN_PROGRESS is the normal answer here and counts; an unreachable broker may
        // come back.
        if (going && EXPELLED_TYPES.has(errorType(error))) return onExpelled();
      }
      if (going) timer = this.#clock.setTimer(beat, this.#heartbeatMs);
    };
    void beat();
    return () => {
      going = false;
      this.#clock.clearTimer(timer);
    };
  }
}
