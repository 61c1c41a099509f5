/** What a log client must offer to headrace: the contract that every adapter implements. */
import type { HeadraceError } from "../errors.ts";
import type { Clock, Logger, MessageHeaders } from "../types.ts";

/** One ownership period of one partition. Never reused: the object is the identity. */
export interface Lease {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Records of one poll of one partition, in offset order. Read by index; nothing is made before it is asked for.
 *
 * Implementations are views over whatever the client gave, so that handing over a batch costs nothing per record.
 */
export interface RecordBatch {
  /** Number of records; may be 0. */
  readonly count: number;
  /** Offset of record 0. */
  readonly baseOffset: number;
  /** Distances from `baseOffset`, ascending; null when record i has offset `baseOffset + i`. */
  readonly offsetDeltas: Uint32Array | null;
  /** Memory charged to the budget (F2): key + value + headers + 512 per decoded record, or the raw bytes. */
  readonly byteLength: number;
  /** Records whose memory it keeps, where those are more than `count`. */
  readonly heldCount?: number;
  keyAt(index: number): Uint8Array | null;
  valueAt(index: number): Uint8Array | null;
  /** Milliseconds since the epoch. */
  timestampAt(index: number): number;
  headersAt(index: number): MessageHeaders;
  /**
   * Raw sources only: where the keys lie, so that they are hashed in place without a view per key.
   * `starts[i] === 0xffffffff` is a null key.
   */
  readonly rawKeys?: {
    readonly bytes: Uint8Array;
    readonly starts: Uint32Array;
    readonly ends: Uint32Array;
  };
  /**
   * Raw sources only: the hash of each key, where the source's kernel has read the keys anyway. As
   * headrace itself hashes them: murmur3 with PARTITION_KEY_SEED, NULL_KEY_HASH for a null key.
   */
  readonly keyHashes?: Uint32Array;
  /**
   * Where the source uses its memory again: all records are done, and no view of their bytes is left. Perhaps never
   * called; then the memory goes with the last view.
   */
  release?(): void;
  /** User code has seen views of the bytes: `release()` does nothing from now on. */
  keep?(): void;
}

/** One delivery of one partition. */
export interface SourceBatch {
  readonly lease: Lease;
  readonly records: RecordBatch;
  /** Where fetching goes on: past holes and markers behind the last record. */
  readonly nextOffset: number;
  /** End of the readable log, or -1 when the client does not say. */
  readonly highWatermark: number;
}

/** What is stored for a group and partition. */
export interface CommittedOffset {
  readonly offset: number;
  readonly metadata: string;
}

/** A lease as the source hands it over. */
export interface AssignedLease {
  readonly lease: Lease;
  /** null: the group has no offset here (a stored offset below 0 is none). */
  readonly committed: CommittedOffset | null;
  /** The group has an offset for another partition of this topic (O10: the partition was added later). */
  readonly groupKnowsTopic: boolean;
  /** First readable offset. */
  readonly logStart: number;
  /** Next offset to be written. */
  readonly logEnd: number;
  /** 16 bytes, where the client knows it. */
  readonly topicId?: Uint8Array;
}

/** One commit: the next offset to read. */
export interface CommitEntry {
  readonly lease: Lease;
  readonly offset: number;
  readonly metadata: string;
}

/**
 * `stored`; `fenced`: the lease is over; `not-now`: a rebalance is completing, keep it and try again while the lease
 * lives; `retry`: outcome unknown or coordinator away; `too-large`: metadata refused; `denied`: needs an operator.
 */
export type CommitOutcome = "stored" | "fenced" | "not-now" | "retry" | "too-large" | "denied";

/** What a source calls. Every call is made between turns of user code and may not be re-entered with an exception. */
export interface SourceListener {
  /** Start offsets, index by index. Called before any delivery of these leases. */
  assigned(leases: readonly AssignedLease[]): readonly number[];
  /** The leases are still ours until the promise settles, at most `deadlineMs` from now. Never rejects. */
  revoking(leases: readonly Lease[], deadlineMs: number): Promise<void>;
  /** The answer of the join: which leases go on and which ended. */
  joined(kept: readonly Lease[], ended: readonly Lease[]): void;
  /** Gone without warning: commits are pointless. */
  lost(leases: readonly Lease[]): void;
  /**
   * Hands over records. A promise asks the source not to fetch from that broker before it settles (F1: at most 50 ms),
   * heartbeats going on.
   */
  deliver(batch: SourceBatch): void | Promise<void>;
  /**
   * Before the source reads on, where it has not been paused: while the lease has plenty to do, a promise that settles
   * when it needs more (F1: at most 50 ms).
   *
   * @param readMessages What one read brings; 0 when there is no wait before the next.
   */
  untilNeeded?(lease: Lease, readMessages: number): Promise<void> | undefined;
  /** The position moved without records: markers, holes, aborted data. */
  advanced(lease: Lease, nextOffset: number): void;
  failed(error: HeadraceError, fatal: boolean): void;
}

/** A member of a consumer group over some log client. */
export interface Source {
  readonly can: {
    /** `revoking` is awaited before the partitions move. */
    readonly drainOnRevoke: boolean;
    /** Only moved partitions are revoked. */
    readonly incremental: boolean;
    /** Batches carry `rawKeys` or `keyHashes`. */
    readonly raw: boolean;
    readonly topicIds: boolean;
  };
  /** How long the group waits for heartbeats, where there is such a time: what holds the thread for long is reported. */
  readonly sessionTimeoutMs?: number;
  /** Connects and joins; settles when the first assignment is known. Rejects when the source can never work. */
  start(listener: SourceListener): Promise<void>;
  /** Stops fetching, leaves when asked, disconnects. Drains nothing: the core has done that. Settles when the signal aborts. */
  stop(how: { readonly leave: boolean; readonly signal: AbortSignal }): Promise<void>;
  /** Idempotent. A batch on its way may still arrive. */
  pause(lease: Lease): void;
  resume(lease: Lease): void;
  seek(lease: Lease, offset: number): void;
  /** Outcomes index by index. Never rejects for what `CommitOutcome` names. */
  commit(entries: readonly CommitEntry[], signal: AbortSignal): Promise<readonly CommitOutcome[]>;
}

/** One record as a sink writes it. */
export interface SinkRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array])[];
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  /** 16 bytes, or null. */
  readonly id: Uint8Array | null;
}

/** Records of one partition, in order. */
export interface SinkBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly SinkRecord[];
}

/** How the records of a batch are compressed. */
export type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/** What a batch needs to count as stored, and how it travels. */
export interface Delivery {
  /** Replicas that must have it: all in sync (-1), the leader (1), or nothing is waited for (0). */
  readonly acks: -1 | 0 | 1;
  readonly compression: Compression;
  /** A batch that is sent again, since its answer was lost, is not stored twice. */
  readonly idempotent: boolean;
  /** How long the broker may wait for the replicas. */
  readonly requestTimeoutMs: number;
}

/**
 * Where the batch begins (undefined when nothing was acknowledged), or why it was not written. With `sendAgain` the
 * same `SinkBatch` object may be sent again: the cause may pass by itself. With `sendParts` the records are the cause,
 * none of them is stored, and parts of the batch may fare better.
 */
export type SinkOutcome =
  | {
      readonly baseOffset: number | undefined;
      /** Of each record, where they do not simply follow `baseOffset`: some were stored before. */
      readonly offsets?: readonly number[];
    }
  | {
      readonly error: HeadraceError;
      readonly sendAgain?: boolean;
      readonly sendParts?: boolean;
    };

/** The writing side of a log client. */
export interface Sink {
  /** Large batches are refused, so the records of one call may be parted; absent: they stay one batch. */
  readonly partsCalls?: boolean;
  open(): Promise<void>;
  /** @throws {HeadraceError} For a topic that is missing and cannot be created. */
  partitionCount(topic: string): Promise<number>;
  /**
   * Outcomes index by index; never rejects for what the broker answers about one batch. A sink that cannot do what
   * `delivery` asks for (default: acknowledged by all, as it is) answers with an error, and stores nothing.
   */
  send(batches: readonly SinkBatch[], delivery?: Delivery): Promise<readonly SinkOutcome[]>;
  close(): Promise<void>;
}

/** An offset to be stored for a group that has no member. */
export interface OffsetToStore {
  readonly partition: number;
  /** The next offset to read. */
  readonly offset: number;
  readonly metadata: string;
}

/** Who is in a group. */
export interface GroupDescription {
  /** `none`: there is no such group; `empty`: it has stored something, nobody is in it. */
  readonly state: "none" | "empty" | "running";
  /** Its members, as the source names them; none where the source does not say. */
  readonly members: readonly string[];
}

/** What headrace asks about topics and groups. */
export interface Admin {
  open(): Promise<void>;
  /** Partition counts by topic; a missing topic is absent. */
  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** First and next offset per partition. */
  logBounds(
    topic: string,
  ): Promise<readonly { partition: number; logStart: number; logEnd: number }[]>;
  committed(
    groupId: string,
    topic: string,
  ): Promise<readonly { partition: number; offset: number | null; metadata: string }[]>;
  /** Topics in which the group has stored an offset, sorted. */
  committedTopics(groupId: string): Promise<readonly string[]>;
  /**
   * Whether anybody is in the group now.
   *
   * @param topic One that exists: a source that is not told about some kinds of groups asks there for a commit that
   *   changes nothing, which is refused for a group with members.
   */
  describeGroup(groupId: string, topic: string): Promise<GroupDescription>;
  /**
   * Stores offsets for a group that has no member; one that nobody knows comes to be. The source itself refuses it
   * for any other group, whatever was described before.
   *
   * @throws {GroupRunningError} When the group has members: nothing is stored then.
   * @throws {HeadraceError} For anything else: some of the offsets may be stored.
   */
  commit(groupId: string, topic: string, offsets: readonly OffsetToStore[]): Promise<void>;
  createTopic(topic: string, partitions: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens sources, sinks and admins over one client configuration. */
export interface SourceFactory {
  open(group: {
    readonly groupId: string;
    readonly topics: readonly string[];
    readonly member: number;
    readonly drainTimeoutMs: number;
    /** What the consumer may have in flight, where fetches are sized by it (F1). */
    readonly maxInFlightBytes?: number;
    readonly clock: Clock;
    readonly logger: Logger;
  }): Source;
  sink?(): Sink;
  admin?(): Admin;
}
