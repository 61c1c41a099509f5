/** The topics of a memory source: records in arrays, nothing of groups. */
import { SourceError } from "../errors.ts";
import type { PlainRecord } from "../plain-record.ts";
import { Validator } from "../validate.ts";

const check = new Validator("use a memory source");
const encoder = new TextEncoder();
const MAX_PARTITIONS = 100_000;
/** Timestamp of offset 0 where a test gives none; later records follow, a millisecond each. */
const FIRST_TIMESTAMP_MS = Date.UTC(2026, 0, 1);

/** A record as tests write it; strings are UTF-8. */
export interface MemoryRecordInput {
  readonly key?: string | Uint8Array | null;
  /** Default null. */
  readonly value?: string | Uint8Array | null;
  readonly headers?:
    | Readonly<Record<string, string | Uint8Array | readonly (string | Uint8Array)[]>>
    | readonly (readonly [name: string, value: string | Uint8Array])[];
  /** Milliseconds since the epoch; default: 2026-01-01T00:00:00Z + the offset. */
  readonly timestamp?: number;
  /** Default: the end of the log. A higher one leaves a hole, as compaction and transaction markers do. */
  readonly offset?: number;
}

interface StoredRecord extends PlainRecord {
  /** Which append brought it. */
  readonly appendId: number;
}

/** What one read of a partition gives. */
export interface MemoryRead {
  readonly records: readonly PlainRecord[];
  /** Where the next read begins: the next record, or the end of the log. */
  readonly nextOffset: number;
}

/** One partition's log. */
export class MemoryPartition {
  readonly topic: string;
  readonly partition: number;
  #records: StoredRecord[] = [];
  #logStart = 0;
  #logEnd = 0;
  #appends = 0;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  /** First readable offset. */
  get logStart(): number {
    return this.#logStart;
  }

  /** Next offset to be written. */
  get logEnd(): number {
    return this.#logEnd;
  }

  /** @returns The records' offsets. @throws {RangeError} When an offset lies below the end of the log. */
  append(inputs: readonly MemoryRecordInput[]): number[] {
    const appendId = this.#appends + 1;
    let end = this.#logEnd;
    const records = inputs.map((input) => {
      const offset = check.integer("offset", input.offset, end, end, Number.MAX_SAFE_INTEGER - 1);
      end = offset + 1;
      return { ...toRecord(input, offset), appendId };
    });
    this.#appends = appendId;
    this.#logEnd = end;
    for (const record of records) this.#records.push(record);
    return records.map((record) => record.offset);
  }

  /** Leaves a hole of `count` offsets at the end. */
  skip(count: number): void {
    this.#logEnd += check.integer("count", count, 1, 1, 0xffffffff);
  }

  /** Drops what lies below `logStart`, as retention does. */
  trim(logStart: number): void {
    this.#logStart = check.integer("logStart", logStart, 0, this.#logStart, this.#logEnd);
    this.#records = this.#records.filter((record) => record.offset >= logStart);
  }

  /**
   * Reads records at and after `position`.
   *
   * @param merge false: only records of one append, whole or cut at `maxRecords`.
   * @returns null when there is no record.
   */
  read(position: number, maxRecords: number, merge: boolean): MemoryRead | null {
    const from = this.#indexOf(position);
    const first = this.#records[from];
    if (first === undefined) return null;
    let to = from + 1;
    while (to - from < maxRecords && to < this.#records.length) {
      if (!merge && this.#records[to]?.appendId !== first.appendId) break;
      to += 1;
    }
    const nextOffset = this.#records[to]?.offset ?? this.#logEnd;
    return { records: this.#records.slice(from, to), nextOffset };
  }

  /** All records that are readable. */
  all(): readonly PlainRecord[] {
    return this.#records;
  }

  /** Index of the first record at or after the position. */
  #indexOf(position: number): number {
    let low = 0;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#records[middle] as StoredRecord).offset < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** All topics. */
export class MemoryLog {
  readonly #topics = new Map<string, MemoryPartition[]>();
  readonly #fixed: boolean;

  /** @param topics Partition counts; undefined: topics come to be, with 1 partition, when they are first named. */
  constructor(topics: Readonly<Record<string, number>> | undefined) {
    this.#fixed = topics !== undefined;
    for (const [topic, count] of Object.entries(topics ?? {})) this.createTopic(topic, count);
  }

  /** Creates a topic, or adds partitions to one that has fewer. */
  createTopic(topic: string, partitions: number): void {
    check.integer(`partitions of ${topic}`, partitions, 1, 1, MAX_PARTITIONS);
    const all = this.#topics.get(topic) ?? [];
    while (all.length < partitions) all.push(new MemoryPartition(topic, all.length));
    this.#topics.set(topic, all);
  }

  has(topic: string): boolean {
    return this.#topics.has(topic);
  }

  /** @throws {SourceError} When the topic is missing and topics are not made by naming them. */
  partitionsOf(topic: string): readonly MemoryPartition[] {
    if (!this.#fixed && !this.#topics.has(topic)) this.createTopic(topic, 1);
    const partitions = this.#topics.get(topic);
    if (partitions) return partitions;
    throw new SourceError(`Cannot use a topic as it must exist: received ${topic}`);
  }

  /** @throws {RangeError} When the topic has no such partition. */
  partition(topic: string, partition: number): MemoryPartition {
    const all = this.partitionsOf(topic);
    const found = all[partition];
    if (found) return found;
    throw check.rangeError(`${topic} has ${all.length} partitions (see options.topics)`, partition);
  }
}

function toRecord(input: MemoryRecordInput, offset: number): PlainRecord {
  return {
    offset,
    timestamp: input.timestamp ?? FIRST_TIMESTAMP_MS + offset,
    key: toBytes("key", input.key ?? null),
    value: toBytes("value", input.value ?? null),
    headers: toHeaders(input.headers ?? []),
  };
}

function toHeaders(headers: NonNullable<MemoryRecordInput["headers"]>): PlainRecord["headers"] {
  const pairs: [string, Uint8Array][] = [];
  const list = Array.isArray(headers) ? headers : Object.entries(headers);
  for (const [name, value] of list as [string, unknown][]) {
    for (const one of Array.isArray(value) ? value : [value]) {
      pairs.push([name, toBytes(`header ${name}`, one) ?? new Uint8Array()]);
    }
  }
  return pairs;
}

function toBytes(name: string, value: unknown): Uint8Array | null {
  if (value === null || value instanceof Uint8Array) return value;
  if (typeof value === "string") return encoder.encode(value);
  throw check.typeError(`a ${name} is a string, bytes or null`, value);
}
