import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError, LogError } from "../errors.ts";
import type { TornTail } from "./active-segment.ts";
import { GroupOffsets } from "./group-offsets.ts";
import { createNamedDirectory, type NamedDirectory, writeJson } from "./named-directory.ts";
import { PartitionLog } from "./partition-log.ts";

const FILE = "topic.json";

/** What all topics of a log share. */
export interface Writer {
  readonly writerEpoch: number;
  readonly segmentBytes: number;
}

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
}

/** One topic: its partitions and what groups have committed in it. */
export class TopicLog {
  readonly directory: string;
  readonly partitions: PartitionLog[] = [];
  readonly groups: GroupOffsets;
  readonly #writer: Writer;
  #json: TopicJson;

  /** @throws {CorruptLogError} For a damaged partition, group or description. */
  constructor({ path, json }: NamedDirectory, writer: Writer) {
    this.directory = path;
    this.#writer = writer;
    this.#json = checkedJson(path, json);
    try {
      this.#openPartitions();
      this.groups = new GroupOffsets(join(path, "groups"), writer.writerEpoch);
    } catch (error) {
      for (const partition of this.partitions) partition.close();
      throw error;
    }
  }

  /** Makes an empty topic under `parent`. */
  static create(parent: string, name: string, partitions: number, writer: Writer): TopicLog {
    const id = randomUUID().replaceAll("-", "");
    const json: TopicJson = { name, id, partitions, hash: "murmur2", epoch: 1 };
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

  get tornTails(): TornTail[] {
    return this.partitions.flatMap(({ tornTail }) => tornTail ?? []);
  }

  /**
   * Adds partitions.
   *
   * @returns true when there were fewer.
   * @throws {LogError} When there are more already.
   */
  grow(partitions: number): boolean {
    const { partitions: count, epoch, name } = this.#json;
    if (partitions < count) {
      throw new LogError(
        `Cannot open topic ${name} as partitions cannot be removed: ` +
          `received ${partitions} for ${count}`,
      );
    }
    if (partitions === count) return false;
    this.#json = { ...this.#json, partitions, epoch: epoch + 1 };
    writeJson(join(this.directory, FILE), this.#json);
    this.#openPartitions();
    return true;
  }

  #openPartitions(): void {
    const { name: topic, partitions, epoch: topicEpoch } = this.#json;
    for (let partition = this.partitions.length; partition < partitions; partition++) {
      const directory = join(this.directory, "partitions", String(partition));
      const place = { directory, topic, partition, topicEpoch, ...this.#writer };
      this.partitions.push(new PartitionLog(place));
    }
  }
}

function checkedJson(path: string, json: NamedDirectory["json"]): TopicJson {
  const { partitions, id, epoch } = json;
  const good = Number.isInteger(partitions) && Number.isInteger(epoch) && typeof id === "string";
  if (good) return json as unknown as TopicJson;
  throw new CorruptLogError(
    `Cannot open topic ${json.name} as topic.json must name partitions, id and epoch: ` +
      `received ${JSON.stringify(json).slice(0, 200)} in ${path}`,
  );
}
