import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { log, openLog } from "../../src/adapters/log.ts";
import { CompletedOffsets } from "../../src/metadata/completed-offsets.ts";
import type { Segmentation } from "../../src/metadata/segmentation.ts";
import { systemClock } from "../../src/runtime/system-clock.ts";
import { type Position, readPosition, writePosition } from "../../src/segments/position.ts";
import { RecordingListener } from "../../src/source/recording-listener.ts";
import type { Admin, SourceFactory } from "../../src/source/source.ts";
import { type MemorySource, memorySource } from "../../src/testing/memory-source.ts";
import { numbered, temporaryDirectory } from "../log/temporary.ts";

const logger = { debug() {}, info() {}, warn() {}, error() {} };

/** What is stored, as text that can be compared: "group topic#partition" and offset with metadata. */
export type Stored = Record<string, string>;

/** Topics and groups that a test moves offsets of. */
export interface Place {
  readonly source: SourceFactory;
  /** Stores an offset, with done ranges above it. */
  commit(groupId: string, where: string, offset: number, more?: StoredMore): Promise<void>;
  /** Everything that the groups have stored. */
  stored(...groupIds: string[]): Promise<Stored>;
  /** What one group has stored; undefined: never committed. */
  position(groupId: string, where: string): Promise<Position | undefined>;
  /** Starts a member of a group; the answer stops it. */
  run(groupId: string, topic: string): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** What may be stored beside an offset. */
export interface StoredMore {
  /** Starts and ends in turn. */
  readonly done?: readonly number[];
  readonly userText?: string;
  readonly segmentation?: Segmentation;
  /** In place of all others. */
  readonly metadata?: string;
}

export const TOPICS: Readonly<Record<string, number>> = { orders: 2, payments: 1 };
/** The next offset of every partition. */
export const LOG_END = 200;

/** Metadata as a consumer writes it. */
export function metadataOf(offset: number, more: StoredMore): string {
  const { done = [], userText = null, segmentation = null, metadata } = more;
  if (metadata !== undefined) return metadata;
  const completed = new CompletedOffsets(Float64Array.from(done));
  const guard = { logEnd: LOG_END, topicId: new Uint8Array(0) };
  const position = { offset, completed, userText, segmentation, guard };
  return writePosition(position, { form: "dense", maxLength: 4096 }).text;
}

class AdminPlace implements Place {
  readonly source: SourceFactory;
  readonly #admin: Admin;

  constructor(source: SourceFactory, admin: Admin) {
    this.source = source;
    this.#admin = admin;
  }

  async commit(
    groupId: string,
    where: string,
    offset: number,
    more: StoredMore = {},
  ): Promise<void> {
    const [topic, partition] = where.split("#") as [string, string];
    const metadata = metadataOf(offset, more);
    await this.#admin.commit(groupId, topic, [{ partition: Number(partition), offset, metadata }]);
  }

  async stored(...groupIds: string[]): Promise<Stored> {
    const found: Stored = {};
    for (const groupId of groupIds) {
      for (const topic of Object.keys(TOPICS)) {
        for (const { partition, offset, metadata } of await this.#admin.committed(groupId, topic)) {
          if (offset !== null) found[`${groupId} ${topic}#${partition}`] = `${offset} ${metadata}`;
        }
      }
    }
    return found;
  }

  async position(groupId: string, where: string): Promise<Position | undefined> {
    const [topic, partition] = where.split("#") as [string, string];
    const all = await this.#admin.committed(groupId, topic);
    const { offset, metadata } = all[Number(partition)]!;
    return offset === null ? undefined : readPosition({ offset, metadata }, LOG_END);
  }

  async run(groupId: string, topic: string): Promise<() => Promise<void>> {
    const common = { member: 0, drainTimeoutMs: 1000, clock: systemClock, logger };
    const member = this.source.open({ groupId, topics: [topic], ...common });
    await member.start(new RecordingListener());
    return () => member.stop({ leave: true, signal: new AbortController().signal });
  }

  close(): Promise<void> {
    return this.#admin.close();
  }
}

/** The topics in memory, with the memory source itself. */
export async function memoryPlace(): Promise<Place & { readonly memory: MemorySource }> {
  const memory = memorySource({ topics: TOPICS });
  for (const [topic, partitions] of Object.entries(TOPICS)) {
    for (let partition = 0; partition < partitions; partition++) {
      const records = Array.from({ length: LOG_END }, () => ({ value: "v" }));
      memory.deliver(topic, partition, records);
    }
  }
  const admin = memory.source.admin!();
  return Object.assign(new AdminPlace(memory.source, admin), { memory });
}

/** The topics in an embedded log, in a directory of its own. */
export async function logPlace(): Promise<Place & { readonly directory: string }> {
  const directory = temporaryDirectory();
  const topics = Object.fromEntries(
    Object.entries(TOPICS).map(([topic, partitions]) => [topic, { partitions }]),
  );
  const handle = await openLog(directory, { topics });
  for (const [topic, partitions] of Object.entries(TOPICS)) {
    for (let partition = 0; partition < partitions; partition++) {
      await handle.append(topic, partition, numbered(0, LOG_END));
    }
  }
  await handle.close();
  return openLogPlace(directory);
}

/** A log that is there already, without the groups that other tests have left in it. */
export async function openLogPlace(
  directory: string,
): Promise<Place & { readonly directory: string }> {
  for (const topic of readdirSync(join(directory, "topics"))) {
    rmSync(join(directory, "topics", topic, "groups"), { recursive: true, force: true });
  }
  const source = log(directory);
  const admin = source.admin();
  await admin.open();
  return Object.assign(new AdminPlace(source, admin), { directory });
}

/** Starts and ends in turn. */
export function doneOf(position: Position | undefined): number[] {
  return [...(position?.completed.ranges() ?? [])].flatMap(({ from, to }) => [from, to]);
}
