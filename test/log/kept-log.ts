import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { groupDirectory } from "../../src/log/group-directory.ts";
import { type LogOptions, resolveLogOptions, topicRequest } from "../../src/log/log-options.ts";
import { LogStore } from "../../src/log/log-store.ts";
import type { TopicLog } from "../../src/log/topic-log.ts";
import { type FakeClock, fakeClock } from "../../src/testing/fake-clock.ts";
import { numbered, temporaryDirectory } from "./temporary.ts";

/** Records of a batch that `KeptLog.fill()` appends. */
export const BATCH = 10;

/**
 * A log under a clock that stands still, with topic "t" and segments of 4 KiB: six batches of `fill()` each.
 */
export class KeptLog {
  readonly root: string = temporaryDirectory();
  readonly clock: FakeClock = fakeClock();
  readonly partitions: number;
  store: LogStore;
  #isOpen = true;

  constructor(options: LogOptions, partitions = 1) {
    this.partitions = partitions;
    this.store = this.#opened(options);
  }

  get topic(): TopicLog {
    return this.store.topic("t")!;
  }

  /** Closes the log and opens it again. */
  async reopen(options: LogOptions): Promise<void> {
    await this.close();
    this.store = this.#opened(options);
  }

  /** Closes the log, once. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.store.close();
  }

  /** Offsets of all its records, checksums verified. */
  offsets(partition = 0): number[] {
    const log = this.topic.partitions[partition]!;
    const all: number[] = [];
    for (let at = log.logStart; at < log.logEnd; ) {
      for (const { baseOffset, count } of log.read(at, 1 << 20)) {
        for (let offset = baseOffset; offset < baseOffset + count; offset++) all.push(offset);
        at = baseOffset + count;
      }
    }
    return all;
  }

  /** Appends until so many more segments are sealed. */
  fill(segments: number, partition = 0): void {
    const log = this.topic.partitions[partition]!;
    for (const end = log.sealed.length + segments; log.sealed.length < end; )
      this.append(partition);
  }

  append(partition = 0): void {
    const log = this.topic.partitions[partition]!;
    log.append(numbered(log.logEnd, BATCH));
  }

  /** Commits, as of now by this log's clock. */
  commit(groupId: string, offset: number, partition = 0): void {
    const group = this.topic.groups.lock(groupId, "Cannot commit");
    group.set(partition, { offset, metadata: "", generation: 1 });
    group.release();
    const directory = groupDirectory(join(this.topic.directory, "groups"), groupId);
    const seconds = this.clock.wallTime() / 1000;
    utimesSync(join(directory, `${partition}.offset`), 1, seconds);
  }

  /** Base offsets of the segments there are files of, by ending. */
  files(ending = ".log", partition = 0): number[] {
    const directory = join(this.topic.directory, "partitions", String(partition));
    const names = readdirSync(directory).filter((name) => name.endsWith(ending));
    return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
  }

  #opened(options: LogOptions): LogStore {
    const resolved = resolveLogOptions({ segment: { bytes: 4096 }, ...options });
    const store = new LogStore(this.root, resolved, this.clock);
    this.#isOpen = true;
    store.ensureTopic("t", topicRequest("topic", { partitions: this.partitions }));
    return store;
  }
}
