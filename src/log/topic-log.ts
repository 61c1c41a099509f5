import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError, LogError } from "../errors.ts";
import type { TornTail } from "./active-segment.ts";
import { GroupOffsets } from "./group-offsets.ts";
import type { TopicRequest } from "./log-options.ts";
import { createNamedDirectory, type NamedDirectory, writeJson } from "./named-directory.ts";
import { PartitionLog, type TopicFacts, type Writer } from "./partition-log.ts";
import {
  checkOverrides,
  type TopicOptions,
  type TopicOverrides,
  withOverrides,
} from "./topic-options.ts";

const FILE = "topic.json";

/** `topic.json`. */
interface TopicJson {
  readonly name: string;
  /** 16 bytes in hexadecimal; tells a topic from a later one of the same name. */
  readonly id: string;
  readonly partitions: number;
  /** How keys find their partition, for other tools. */
  readonly hash: "murmur2";
  /** Raised with the partition count. */
  readonly epoch: number;
  /** What it has for itself; the log's options hold for the rest. */
  readonly options?: TopicOverrides;
}

/** One topic: its partitions and what groups have committed in it. */
export class TopicLog implements TopicFacts {
  readonly directory: string;
  readonly partitions: PartitionLog[] = [];
  readonly groups: GroupOffsets;
  readonly #writer: Writer;
  #json: TopicJson;
  #options: TopicOptions;

  /** @throws {CorruptLogError} For a damaged partition, group or description. */
  constructor({ path, json }: NamedDirectory, writer: Writer) {
    this.directory = path;
    this.#writer = writer;
    this.#json = checkedJson(path, json);
    this.#options = withOverrides(writer.options.topicDefaults, this.#json.options ?? {});
    try {
      this.#openPartitions();
      this.groups = new GroupOffsets(join(path, "groups"), writer.writerEpoch);
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
    const path = createNamedDirectory(parent, FILE, fields, (at) => mkdirSync(join(at, "groups")));
    return new TopicLog({ path, json: fields }, writer);
  }

  get name(): string {
    return this.#json.name;
  }

  /** 16 bytes. */
  get id(): Uint8Array {
    return Buffer.from(this.#json.id, "hex");
  }

  /** Raised when the partition count changes; batches carry it. */
  get epoch(): number {
    return this.#json.epoch;
  }

  /** As they are now: a later open may change them. */
  get options(): TopicOptions {
    return this.#options;
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
    writeJson(join(this.directory, FILE), json);
    this.#json = json;
    this.#options = withOverrides(this.#writer.options.topicDefaults, json.options);
    if (grows) this.#openPartitions();
    return grows;
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

function checkedJson(path: string, json: NamedDirectory["json"]): TopicJson {
  const { partitions, id, epoch, options } = json;
  const good = Number.isInteger(partitions) && Number.isInteger(epoch) && typeof id === "string";
  if (good && goodOverrides(options)) return json as unknown as TopicJson;
  throw new CorruptLogError(
    `Cannot open topic ${json.name} as topic.json must name partitions, id, epoch and options: ` +
      `received ${JSON.stringify(json).slice(0, 200)} in ${path}`,
  );
}

function goodOverrides(options: unknown): boolean {
  if (options === undefined) return true;
  try {
    return typeof checkOverrides("topic.", options as Record<string, unknown>) === "object";
  } catch {
    // Reported by the caller, with the path.
    return false;
  }
}
