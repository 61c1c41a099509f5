/**
 * What the kafkajs integration tests share: a recording listener, a real clock, topics with random
 * names.
 */
import { Kafka, logLevel, PartitionAssigners, type Producer } from "kafkajs";
import type { ClientBroker, ClientCluster } from "../../src/adapters/kafkajs/client.ts";
import type { KafkajsLease } from "../../src/adapters/kafkajs/lease.ts";
import { type KafkajsConfig, kafkajs } from "../../src/adapters/kafkajs.ts";
import type {
  Admin,
  AssignedLease,
  Lease,
  Source,
  SourceBatch,
  SourceListener,
} from "../../src/source/source.ts";
import type { Clock, Logger } from "../../src/types.ts";
import { newTopic, withAdmin } from "../kafka/admin.ts";

export const bootstrap: string = process.env.KAFKA_BOOTSTRAP ?? "";

const WAIT_MS = 10_000;

export const clock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
  defer: (callback) => void setImmediate(callback),
};

export const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export function unique(name: string): string {
  return `hr-kjs-${name}-${Math.random().toString(36).slice(2, 10)}`;
}

export function within<T>(promise: Promise<T>, what: string, ms: number = WAIT_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** One record as it was delivered. */
export interface Seen {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly lease: Lease;
}

/** Records every call; tests replace `start`, `revoke` and `hold` to act. */
export class Recorder implements SourceListener {
  readonly log: string[] = [];
  readonly seen: Seen[] = [];
  readonly batches: SourceBatch[] = [];
  readonly leases: Map<string, Lease> = new Map();
  readonly info: Map<Lease, AssignedLease> = new Map();
  readonly next: Map<Lease, number> = new Map();
  readonly errors: { error: Error; fatal: boolean }[] = [];
  start: (lease: AssignedLease) => number = ({ committed, logStart }) =>
    committed?.offset ?? logStart;
  revoke: (leases: readonly Lease[]) => Promise<void> = async () => {};
  hold: (batch: SourceBatch) => void | Promise<void> = () => {};
  readonly #waiting = new Set<() => void>();

  assigned(leases: readonly AssignedLease[]): readonly number[] {
    for (const assigned of leases) {
      this.leases.set(`${assigned.lease.topic}/${assigned.lease.partition}`, assigned.lease);
      this.info.set(assigned.lease, assigned);
    }
    const starts = leases.map((assigned) => this.start(assigned));
    for (const [index, { lease }] of leases.entries()) this.next.set(lease, starts[index] ?? 0);
    this.#record(`assigned ${partitions(leases.map(({ lease }) => lease))}`);
    return starts;
  }

  async revoking(leases: readonly Lease[], deadlineMs: number): Promise<void> {
    this.#record(`revoking ${partitions(leases)} ${deadlineMs > 0}`);
    await this.revoke(leases);
    this.#record("revoked");
  }

  joined(kept: readonly Lease[], ended: readonly Lease[]): void {
    this.#record(`joined ${partitions(kept)}|${partitions(ended)}`);
  }

  lost(leases: readonly Lease[]): void {
    this.#record(`lost ${partitions(leases)}`);
  }

  deliver(batch: SourceBatch): void | Promise<void> {
    const { lease, records } = batch;
    for (let index = 0; index < records.count; index++) {
      const offset = records.baseOffset + (records.offsetDeltas?.[index] ?? index);
      const key = records.keyAt(index);
      const value = records.valueAt(index);
      this.seen.push({
        partition: lease.partition,
        offset,
        key: key && new TextDecoder().decode(key),
        value: value && new TextDecoder().decode(value),
        lease,
      });
    }
    this.batches.push(batch);
    this.next.set(lease, batch.nextOffset);
    this.#wake();
    return this.hold(batch);
  }

  advanced(lease: Lease, nextOffset: number): void {
    this.next.set(lease, nextOffset);
    this.#record(`advanced ${lease.partition} ${nextOffset}`);
  }

  failed(error: Error, fatal: boolean): void {
    this.errors.push({ error, fatal });
    this.#record(`failed ${fatal}`);
  }

  /** Waits until the condition holds, looking after every call. */
  until(condition: () => boolean, what: string, ms: number = WAIT_MS): Promise<void> {
    const held = new Promise<void>((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
    return within(held, `${what} (log: ${this.log.join("; ")})`, ms);
  }

  lease(topic: string, partition: number): Lease {
    const lease = this.leases.get(`${topic}/${partition}`);
    if (lease === undefined) throw new Error(`no lease of ${topic}/${partition}`);
    return lease;
  }

  offsets(partition: number): number[] {
    return this.seen.filter((one) => one.partition === partition).map(({ offset }) => offset);
  }

  #record(line: string): void {
    this.log.push(line);
    this.#wake();
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }
}

function partitions(leases: readonly Lease[]): string {
  return leases
    .map(({ partition }) => partition)
    .sort((a, b) => a - b)
    .join(",");
}

const CONSUMER = {
  maxWaitTimeInMs: 50,
  heartbeatInterval: 100,
  sessionTimeout: 10_000,
  rebalanceTimeout: 15_000,
};

/** A broker with the clients that a test opens; `close` ends them all. */
export class Bench {
  readonly #sources: Source[] = [];
  readonly #producers: Producer[] = [];
  readonly #topics: string[] = [];
  #admin: Admin | null = null;
  readonly kafka: Kafka = new Kafka({
    brokers: [bootstrap],
    clientId: "headrace-test",
    logLevel: logLevel.NOTHING,
  });

  async admin(): Promise<Admin> {
    if (this.#admin !== null) return this.#admin;
    this.#admin = kafkajs({ brokers: [bootstrap] }).admin();
    await this.#admin.open();
    return this.#admin;
  }

  async topic(partitionCount: number): Promise<string> {
    const topic = unique("topic");
    this.#topics.push(topic);
    await (await this.admin()).createTopic(topic, partitionCount);
    return topic;
  }

  async producer(options: { transactionalId?: string } = {}): Promise<Producer> {
    const transactional = options.transactionalId === undefined ? {} : { maxInFlightRequests: 1 };
    const producer = this.kafka.producer({ ...options, ...transactional });
    await producer.connect();
    this.#producers.push(producer);
    return producer;
  }

  /** Writes `count` records `k<i>`/`v<i>` to each partition. */
  async fill(topic: string, partitionCount: number, count: number): Promise<void> {
    const producer = await this.producer();
    const messages = [];
    for (let partition = 0; partition < partitionCount; partition++) {
      for (let index = 0; index < count; index++) {
        messages.push({ partition, key: `k${index}`, value: `v${index}` });
      }
    }
    await producer.send({ topic, messages });
  }

  open(
    groupId: string,
    topics: readonly string[],
    overrides: Partial<KafkajsConfig> & { drainTimeoutMs?: number } = {},
  ): Source {
    const { drainTimeoutMs = 5_000, consumer, ...config } = overrides;
    const source = kafkajs({
      brokers: [bootstrap],
      clientId: "headrace-test",
      ...config,
      consumer: { ...CONSUMER, ...consumer },
    }).open({ groupId, topics, member: 0, drainTimeoutMs, clock, logger: quiet });
    this.#sources.push(source);
    return source;
  }

  /** Makes a member leave behind its back. */
  async expel(groupId: string, memberId: string): Promise<void> {
    await this.#ask(groupId, (coordinator) => coordinator.leaveGroup({ groupId, memberId }));
  }

  /** Commits in a member's name, but not through it. */
  async commitBehind(groupId: string, lease: Lease, offset: number): Promise<void> {
    const { topic, partition, memberId, generation } = lease as KafkajsLease;
    await this.#ask(groupId, (coordinator) =>
      coordinator.offsetCommit({
        groupId,
        memberId,
        groupGenerationId: generation,
        topics: [{ topic, partitions: [{ partition, offset: String(offset), metadata: "" }] }],
      }),
    );
  }

  async #ask(groupId: string, act: (to: ClientBroker) => Promise<unknown>): Promise<void> {
    let cluster: ClientCluster | undefined;
    const consumer = this.kafka.consumer({
      groupId,
      partitionAssigners: [
        (group) => {
          cluster = (group as unknown as { cluster: ClientCluster }).cluster;
          return PartitionAssigners.roundRobin(group);
        },
      ],
    });
    await consumer.connect();
    await cluster?.refreshMetadata();
    await act((await cluster?.findGroupCoordinator({ groupId })) as ClientBroker);
    await consumer.disconnect();
  }

  /** Deletes a topic and makes it again, empty. */
  async recreate(topic: string, numPartitions: number): Promise<void> {
    await withAdmin(this.kafka, async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
      // The broker deletes a little later than it answers.
      const create = (): Promise<boolean> => newTopic(admin, topic, numPartitions);
      for (let made = false; !made; ) made = await create().catch(() => false);
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#sources.map((source) => stop(source)));
    await Promise.all(this.#producers.map((producer) => producer.disconnect()));
    await this.#admin?.close();
    if (this.#topics.length === 0) return;
    await withAdmin(this.kafka, (admin) => admin.deleteTopics({ topics: this.#topics }));
  }
}

export function stop(source: Source, ms: number = 3_000): Promise<void> {
  return source.stop({ leave: true, signal: AbortSignal.timeout(ms) });
}
