/**
 * kafkajs as the adapter sees it: the parts of its public and low-level surface that are used, and
 * nothing more.
 *
 * Structural on purpose: kafkajs is an optional peer, so no published type may import it, and forks
 * with the same shape may be injected. Checked against kafkajs 2.2.4.
 */
import type { Socket } from "node:net";

/** Partitions by topic, as requests and responses carry them. */
export interface TopicData<P> {
  readonly topic: string;
  readonly partitions: readonly P[];
}

/** One decoded record. Keys and values are `Buffer`s. */
export interface ClientMessage {
  readonly offset: string;
  /** Milliseconds since the epoch. */
  readonly timestamp: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: Readonly<Record<string, HeaderValue | readonly HeaderValue[] | undefined>>;
}

/** A header's value; a name that occurs more than once has an array of them. */
export type HeaderValue = Uint8Array | string | null;

/** Records of one partition of one fetch response, filtered. */
export interface ClientBatch {
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: string;
  readonly messages: readonly ClientMessage[];
  /** As they were fetched, before filtering; not in kafkajs's types. */
  readonly rawMessages?: readonly FetchedMessage[];
  /** The offset that was asked for; not in kafkajs's types. */
  readonly fetchedOffset?: string;
  /** Last offset covered, control records included. */
  lastOffset(): string;
}

/** A record of a raw fetch response, before filtering. */
export interface FetchedMessage {
  readonly offset: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  isControlRecord?: boolean;
  readonly batchContext?: { readonly producerId: string; readonly inTransaction: boolean };
}

/** A partition of a raw fetch response. */
export interface FetchedPartition {
  abortedTransactions?: readonly { readonly producerId: string; readonly firstOffset: string }[];
  readonly messages: readonly FetchedMessage[];
}

/** The part of a fetch request that says what is wanted of each partition. */
export interface FetchRequest {
  readonly topics?: readonly TopicData<{ readonly partition: number; maxBytes: number }>[];
}

/** A raw fetch response. */
export interface FetchResponse {
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly FetchedPartition[];
  }[];
}

/**
 * One broker: low-level requests. They do not retry, and each names one error for the whole
 * request.
 */
export interface ClientBroker {
  /** Its connections, with what each has received and not yet read; not in kafkajs's types. */
  readonly connectionPool?: { readonly pool?: readonly { chunks?: readonly Uint8Array[] }[] };
  joinGroup(request: object): Promise<{ memberId: string; generationId: number }>;
  leaveGroup(request: object): Promise<unknown>;
  heartbeat(request: {
    groupId: string;
    memberId: string;
    groupGenerationId: number;
  }): Promise<unknown>;
  fetch(request: FetchRequest): Promise<FetchResponse>;
  offsetCommit(request: {
    groupId: string;
    memberId: string;
    groupGenerationId: number;
    topics: readonly TopicData<{ partition: number; offset: string; metadata: string }>[];
  }): Promise<unknown>;
  offsetFetch(request: {
    groupId: string;
    topics: readonly TopicData<{ partition: number }>[];
  }): Promise<{
    responses: readonly TopicData<{
      partition: number;
      offset: string;
      metadata: string | null;
    }>[];
  }>;
  listOffsets(request: {
    isolationLevel: number;
    topics: readonly TopicData<{ partition: number; timestamp: number }>[];
  }): Promise<{ responses: readonly TopicData<{ partition: number; offset: string }>[] }>;
}

/** The connections and metadata of one client part. Handed to partition assigners. */
export interface ClientCluster {
  findGroupCoordinator(request: { groupId: string }): Promise<ClientBroker>;
  findBroker(request: { nodeId: string }): Promise<ClientBroker>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  getNodeIds(): readonly string[];
  removeBroker(address: { host: string; port: number }): void;
  findTopicPartitionMetadata(topic: string): readonly { partitionId: number }[];
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>;
}

/** A partition assigner and its factory, as `consumer({ partitionAssigners })` takes them. */
export interface ClientAssigner {
  readonly name: string;
  readonly version: number;
  assign(group: {
    members: readonly { memberId: string; memberMetadata?: Uint8Array }[];
    topics: readonly string[];
  }): Promise<{ memberId: string; memberAssignment: Uint8Array }[]>;
  protocol(subscription: { topics: readonly string[] }): { name: string; metadata: Uint8Array };
}

/** Makes an assigner for a consumer's cluster. */
export type ClientAssignerFactory = (group: { cluster: ClientCluster }) => ClientAssigner;

/** Events of a consumer that the adapter listens to. */
export interface ClientEvents {
  "consumer.group_join": { memberAssignment: Record<string, number[]>; memberId: string };
  "consumer.end_batch_process": {
    topic: string;
    partition: number;
    batchSize: number;
    lastOffset: string;
  };
  "consumer.crash": { error: Error; restart: boolean };
  "consumer.stop": unknown;
}

/** The group consumer. */
export interface ClientConsumer {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  subscribe(subscription: { topics: string[] }): Promise<void>;
  run(options: {
    autoCommit: false;
    eachBatchAutoResolve: true;
    partitionsConsumedConcurrently: 1;
    eachBatch: (payload: { batch: ClientBatch }) => Promise<void>;
  }): Promise<void>;
  on<E extends keyof ClientEvents>(
    event: E,
    listener: (event: { payload: ClientEvents[E] }) => void,
  ): unknown;
  pause(partitions: TopicData<number>[]): void;
  resume(partitions: TopicData<number>[]): void;
  seek(position: { topic: string; partition: number; offset: string }): void;
}

/** One acknowledged partition of a produce request. */
export interface ClientRecordMetadata {
  readonly topicName: string;
  readonly partition: number;
  readonly baseOffset?: string;
}

/** One record as the producer takes it. */
export interface ClientProducerMessage {
  readonly partition: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Record<string, Uint8Array | Uint8Array[]>;
  readonly timestamp: string;
}

/** What kafkajs knows of a partition. */
export interface ClientPartitionMetadata {
  readonly partitionId: number;
  /** Node id of the broker that leads it, -1 when none does. */
  readonly leader: number;
}

/** Chooses the partition of a message. */
export type ClientPartitioner = (of: {
  topic: string;
  partitionMetadata: readonly ClientPartitionMetadata[];
  message: ClientProducerMessage;
}) => number;

/** The producer. */
export interface ClientProducer {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  sendBatch(request: {
    acks: number;
    /** How long the broker may wait for replicas, ms. */
    timeout?: number;
    /** Number of the codec. */
    compression?: number;
    topicMessages: { topic: string; messages: ClientProducerMessage[] }[];
  }): Promise<readonly ClientRecordMetadata[]>;
}

/** The admin client. */
export interface ClientAdmin {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  fetchTopicMetadata(request: {
    topics: string[];
  }): Promise<{ topics: { name: string; partitions: unknown[] }[] }>;
  fetchTopicOffsets(
    topic: string,
  ): Promise<{ partition: number; offset: string; high: string; low: string }[]>;
  /** Without topics: all in which the group has an offset. */
  fetchOffsets(request: { groupId: string; topics?: string[] }): Promise<
    {
      topic: string;
      partitions: { partition: number; offset: string; metadata: string | null }[];
    }[]
  >;
  /** A group that nobody knows is "Dead", and so is every one of the newer protocol. */
  describeGroups(groupIds: string[]): Promise<{
    groups: {
      state: string;
      members: { memberId: string; clientId: string; clientHost: string }[];
    }[];
  }>;
  listGroups(): Promise<{ groups: { groupId: string }[] }>;
  createTopics(request: {
    topics: { topic: string; numPartitions: number }[];
    waitForLeaders: boolean;
  }): Promise<boolean>;
}

/** The client object: makes consumers, producers and admins. */
export interface Client {
  consumer(options: object): ClientConsumer;
  producer(options: object): ClientProducer;
  admin(options: object): ClientAdmin;
}

/** kafkajs's `Kafka` class, or a fork's. */
export type ClientConstructor = new (config: never) => Client;

/** What kafkajs asks of a socket factory. */
export interface SocketRequest {
  readonly host: string;
  readonly port: number;
  readonly ssl?: object | boolean | null;
  readonly onConnect: () => void;
}

/** Opens one connection. */
export type SocketFactory = (request: SocketRequest) => Socket;
