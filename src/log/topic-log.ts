import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { LogError, TopicFullError } from "../errors.ts";
import type { SinkRecord } from "../source/source.ts";
import type { TornTail } from "./active-segment.ts";
import { batchBytes } from "./batch-buffer.ts";
import { GroupOffsets } from "./group-offsets.ts";
import type { TopicRequest } from "./log-options.ts";
import { createNamedDirectory, type NamedDirectory, writeJson } from "./named-directory.ts";
import { PartitionLog, type TopicFacts } from "./partition-log.ts";
import type { ReadableTopic } from "./readable.ts";
import { checkedTopicJson, idOf, TOPIC_FILE, type TopicJson } from "./topic-json.ts";
import { type TopicOptions, withOverrides } from "./topic-options.ts";
import type { Writer } from "./writer.ts";

/** One topic: its partitions and what groups have committed in it. */
export class TopicLog implements TopicFacts, ReadableTopic {
  readonly directory: string;
  readonly partitions: PartitionLog[] = [];
  readonly groups: GroupOffsets;
  readonly #writer: Writer;
  #json: TopicJson;
  #options: TopicOptions;

  /** @throws {CorruptLogError} For a damaged partition or description. */
  constructor({ path, json }: NamedDirectory, writer: Writer) {
    this.directory = path;
    this.#writer = writer;
    this.#json = checkedTopicJson({ path, json });
    this.#options = withOverrides(writer.options.topicDefaults, this.#json.options ?? {});
    this.groups = new GroupOffsets(join(path, "groups"));
    try {
      this.groups.sweep();
      this.#openPartitions();
    } catch (error) {
      for (const partition of this.partitions) partition.close();
      throw error;
    }
  }

  /** Makes an empty topic under `parent`. */
  static create(parent: string, name: string, request: TopicRequest, writer: Writer): TopicLog {
    const { partitions, overrides: options } = request;
    const id = randomUUID().replaceAll("-", "");
    const json: TopicJson = { name, id, partitions, hash: "murmur2", epoch: 1, options };
    const fields = { ...json };
    const path = createNamedDirectory(parent, TOPIC_FILE, fields, (at) =>
      mkdirSync(join(at, "groups")),
    );
    return new TopicLog({ path, json: fields }, writer);
  }

  get name(): string {
    return this.#json.name;
  }

  /** 16 bytes. */
  get id(): Uint8Array {
    return idOf(this.#json);
  }

  /** Raised when the partition count changes; batches carry it. */
  get epoch(): number {
    return this.#json.epoch;
  }

  /** As they are now: a later open may change them. */
  get options(): TopicOptions {
    return this.#options;
  }

  /**
   * By the option `retention.maxTopicBytes`, unless the oldest segments make room.
   *
   * @throws {TopicFullError} When the topic has no room for the batch.
   */
  checkRoom(records: readonly SinkRecord[]): void {
    const { retention } = this.#options;
    if (retention === null || retention.maxTopicBytes === null) return;
    if (retention.deleteOldestSegments) return;
    const used = this.partitions.reduce((sum, { bytes }) => sum + bytes, 0);
    const wanted = batchBytes(records);
    if (used + wanted <= retention.maxTopicBytes) return;
    throw new TopicFullError(
      `Cannot append to ${this.name} as the topic must not exceed maxTopicBytes, ` +
        `${retention.maxTopicBytes}: received ${wanted} bytes for the ${used} that are there`,
    );
  }

  get tornTails(): TornTail[] {
    return this.partitions.flatMap(({ tornTail }) => tornTail ?? []);
  }

  /**
   * Adds partitions, and stores what the topic shall have for itself.
   *
   * @returns true when there were fewer partitions.
   * @throws {LogError} When there are more already.
   */
  change({ partitions, overrides }: TopicRequest): boolean {
    const { partitions: count, epoch, name, options } = this.#json;
    if (partitions < count) {
      throw new LogError(
        `Cannot open topic ${name} as partitions cannot be removed: ` +
          `received ${partitions} for ${count}`,
      );
    }
    const grows = partitions > count;
    const json = {
      ...this.#json,
      partitions,
      epoch: grows ? epoch + 1 : epoch,
      options: { ...options, ...overrides },
    };
    if (JSON.stringify(json) === JSON.stringify(this.#json)) return false;
    writeJson(join(this.directory, TOPIC_FILE), json);
    this.#json = json;
    this.#options = withOverrides(this.#writer.options.topicDefaults, json.options);
    for (const partition of this.partitions) partition.optionsChanged();
    if (grows) this.#openPartitions();
    return grows;
  }

  /** Closes its files for good, without a sync: it is about to be removed. */
  abandon(): void {
    for (const partition of this.partitions) {
      partition.refuse("the topic is deleted");
      partition.close();
    }
  }

  #openPartitions(): void {
    const { name: topic, partitions } = this.#json;
    for (let partition = this.partitions.length; partition < partitions; partition++) {
      const directory = join(this.directory, "partitions", String(partition));
      const place = { directory, topic, partition, facts: this, writer: this.#writer };
      this.partitions.push(new PartitionLog(place));
    }
  }
}
