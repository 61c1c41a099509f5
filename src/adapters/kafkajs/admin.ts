/** Topics and groups over kafkajs's admin client. */
import { ClosedError, GroupRunningError } from "../../errors.ts";
import type { Admin, GroupDescription, OffsetToStore } from "../../source/source.ts";
import type { ClientAdmin, ClientConstructor } from "./client.ts";
import { describeBrokers, type KafkajsConfig, openClient } from "./config.ts";
import { errorType, sourceError } from "./errors.ts";
import { loadClient } from "./load.ts";
import { isRunning, OutsideCommits } from "./outside-commits.ts";
import type { Sockets } from "./sockets.ts";

/** How often and how many times a new topic is looked at: 5 s, plus kafkajs's own retries. */
const CREATED_POLL_MS = 100;
const CREATED_ATTEMPTS = 50;
/** So is a group whose coordinator has just started and reads its offsets: kafkajs does not ask again by itself. */
const LOADED_POLL_MS = 100;
const LOADED_ATTEMPTS = 50;

export class KafkajsAdmin implements Admin {
  readonly #config: KafkajsConfig;
  #client: ClientAdmin | null = null;
  #commits: OutsideCommits | null = null;
  #sockets: Sockets | null = null;

  constructor(config: KafkajsConfig) {
    this.#config = config;
  }

  async open(): Promise<void> {
    if (this.#client !== null) return;
    const Kafka = await loadClient(this.#config.Kafka as ClientConstructor | undefined);
    const { client, sockets } = openClient(Kafka, this.#config);
    const admin = client.admin(this.#config.admin ?? {});
    try {
      await admin.connect();
    } catch (error) {
      sockets.destroy();
      const brokers = describeBrokers(this.#config);
      throw sourceError(`Cannot connect as a broker of ${brokers} must answer`, error);
    }
    this.#client = admin;
    this.#commits = new OutsideCommits(client);
    this.#sockets = sockets;
  }

  #admin(): ClientAdmin {
    if (this.#client !== null) return this.#client;
    throw new ClosedError("Cannot ask the broker as the admin must be open: received no open()");
  }

  async partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    // One by one: a missing topic fails the whole request, without a name.
    for (const topic of topics) {
      try {
        const { topics: found } = await this.#admin().fetchTopicMetadata({ topics: [topic] });
        counts.set(topic, found[0]?.partitions.length ?? 0);
      } catch (error) {
        if (error instanceof ClosedError) throw error;
        if (errorType(error) === "UNKNOWN_TOPIC_OR_PARTITION") continue;
        throw sourceError(`Cannot read metadata as "${topic}" must be readable`, error);
      }
    }
    return counts;
  }

  /** `logEnd` is the last stable offset while a transaction is open. */
  async logBounds(
    topic: string,
  ): Promise<readonly { partition: number; logStart: number; logEnd: number }[]> {
    const admin = this.#admin();
    try {
      const bounds = await admin.fetchTopicOffsets(topic);
      return bounds
        .map(({ partition, low, high }) => ({
          partition,
          logStart: Number(low),
          logEnd: Number(high),
        }))
        .sort((a, b) => a.partition - b.partition);
    } catch (error) {
      throw sourceError(`Cannot read log bounds as "${topic}" must be readable`, error);
    }
  }

  async committed(
    groupId: string,
    topic: string,
  ): Promise<readonly { partition: number; offset: number | null; metadata: string }[]> {
    const admin = this.#admin();
    try {
      const [found] = await onceLoaded(() => admin.fetchOffsets({ groupId, topics: [topic] }));
      return (found?.partitions ?? [])
        .map(({ partition, offset, metadata }) => ({
          partition,
          offset: Number(offset) < 0 ? null : Number(offset),
          metadata: metadata ?? "",
        }))
        .sort((a, b) => a.partition - b.partition);
    } catch (error) {
      throw sourceError(`Cannot read offsets as group "${groupId}" must be readable`, error);
    }
  }

  async committedTopics(groupId: string): Promise<readonly string[]> {
    const admin = this.#admin();
    try {
      const found = await onceLoaded(() => admin.fetchOffsets({ groupId }));
      return found
        .filter(({ partitions }) => partitions.some(({ offset }) => Number(offset) >= 0))
        .map(({ topic }) => topic)
        .sort();
    } catch (error) {
      throw sourceError(`Cannot read offsets as group "${groupId}" must be readable`, error);
    }
  }

  async describeGroup(groupId: string, topic: string): Promise<GroupDescription> {
    const admin = this.#admin();
    try {
      const { groups } = await admin.describeGroups([groupId]);
      const { state = "Dead", members = [] } = groups[0] ?? {};
      const names = members.map(({ clientId, clientHost }) => `${clientId} at ${clientHost}`);
      if (state === "Empty") return { state: "empty", members: [] };
      if (state !== "Dead") return { state: "running", members: names };
      const listed = await admin.listGroups();
      const isThere = listed.groups.some((one) => one.groupId === groupId);
      if (!isThere) return { state: "none", members: [] };
      // Of the newer protocol: kafkajs cannot describe it, but the broker guards its offsets.
      const stored = (await this.committed(groupId, topic)).flatMap(({ offset, ...one }) =>
        offset === null ? [] : [{ ...one, offset }],
      );
      const isTaken = await this.#outside().isTaken(groupId, topic, stored[0]);
      return { state: isTaken ? "empty" : "running", members: [] };
    } catch (error) {
      throw sourceError(`Cannot ask for members as group "${groupId}" must be readable`, error);
    }
  }

  async commit(groupId: string, topic: string, offsets: readonly OffsetToStore[]): Promise<void> {
    try {
      await this.#outside().commit(groupId, topic, offsets);
    } catch (error) {
      if (error instanceof ClosedError) throw error;
      if (isRunning(error)) {
        const rule = `group "${groupId}" must have no member`;
        throw new GroupRunningError(`Cannot store offsets as ${rule}: received a refusal`, {
          cause: error,
        });
      }
      const rule = `the broker must take those of group "${groupId}" for "${topic}"`;
      throw sourceError(`Cannot store offsets as ${rule}`, error);
    }
  }

  #outside(): OutsideCommits {
    this.#admin();
    return this.#commits as OutsideCommits;
  }

  /** Settles once every partition can be written. A topic that exists already is left as it is. */
  async createTopic(topic: string, partitions: number): Promise<void> {
    const admin = this.#admin();
    try {
      // kafkajs's own waiting fails when the broker that it asks has not heard of the topic yet.
      await admin.createTopics({
        topics: [{ topic, numPartitions: partitions }],
        waitForLeaders: false,
      });
    } catch (error) {
      throw sourceError(`Cannot create a topic as the broker must take "${topic}"`, error);
    }
    for (let attempt = 1; ; attempt++) {
      try {
        // Asks every partition's leader: it answers once the partition can be written.
        await admin.fetchTopicOffsets(topic);
        return;
      } catch (error) {
        if (attempt === CREATED_ATTEMPTS) {
          throw sourceError(`Cannot create a topic as "${topic}" must become writable`, error);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, CREATED_POLL_MS));
    }
  }

  async close(): Promise<void> {
    const admin = this.#client;
    const commits = this.#commits;
    this.#client = null;
    this.#commits = null;
    this.#sockets?.refuse();
    // A connection that fails to say goodbye is closed all the same.
    await Promise.allSettled([admin?.disconnect(), commits?.close()]);
    this.#sockets?.destroy();
  }
}

/** Asks again while the coordinator of the group is loading. */
async function onceLoaded<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      const isLoading = errorType(error) === "GROUP_LOAD_IN_PROGRESS";
      if (!isLoading || attempt === LOADED_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOADED_POLL_MS));
    }
  }
}
