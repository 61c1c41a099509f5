import { join } from "node:path";
import { GroupOffsets } from "./group-offsets.ts";
import type { ReadableTopic } from "./readable.ts";
import { ReaderPartition, type ReaderPlace } from "./reader-partition.ts";
import { idOf, type TopicJson } from "./topic-json.ts";

/** What all partitions of a reading store share. */
export type ReaderSettings = Pick<ReaderPlace, "root" | "visibility" | "watch">;

/** One topic in a process that only reads. */
export class ReaderTopic implements ReadableTopic {
  readonly name: string;
  readonly id: Uint8Array;
  readonly directory: string;
  readonly partitions: ReaderPartition[] = [];
  readonly groups: GroupOffsets;
  readonly #settings: ReaderSettings;

  constructor(directory: string, json: TopicJson, settings: ReaderSettings) {
    this.name = json.name;
    this.id = idOf(json);
    this.directory = directory;
    this.groups = new GroupOffsets(join(directory, "groups"));
    this.#settings = settings;
    this.grow(json.partitions);
  }

  /** @returns true when there were fewer partitions. */
  grow(count: number): boolean {
    const { name: topic, directory } = this;
    const before = this.partitions.length;
    for (let partition = before; partition < count; partition++) {
      const place = { topic, partition, directory: join(directory, "partitions", `${partition}`) };
      this.partitions.push(new ReaderPartition({ ...place, ...this.#settings }));
    }
    return count > before;
  }

  close(): void {
    for (const partition of this.partitions) partition.close();
  }
}
