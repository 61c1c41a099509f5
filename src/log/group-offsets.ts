/**
 * What consumer groups have committed in one topic: a file of two slots (slots.ts) per group and
 * partition.
 *
 * ```
 * body:  0 u64 next offset · 8 u32 group generation · 12 u32 writer epoch
 *       16 u32 metadata length · 20 u32 zero · 24 metadata, UTF-8
 * ```
 */
import { Buffer } from "node:buffer";
import { closeSync, fdatasync, fdatasyncSync, openSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError } from "../errors.ts";
import { errorCode, readIfThere, syncDirectory, writeFully } from "./files.ts";
import { readU32, readU64, write64, writeU32 } from "./integers.ts";
import { createNamedDirectory, listNamedDirectories } from "./named-directory.ts";
import { encodeSlot, newestSlot, SLOT_HEADER_BYTES } from "./slots.ts";

/** "HRG1" as a little-endian word. */
const GROUP_MAGIC = 0x31475248;
const FILE = "group.json";
const SLOT_BYTES = 16_384;
const FIXED_BYTES = 24;
/** UTF-16 units, as Kafka counts; at most three bytes each, so a slot always has room. */
export const MAX_METADATA_LENGTH = 4096;

/** One stored offset. */
export interface GroupOffset {
  /** The next offset to read. */
  readonly offset: number;
  readonly metadata: string;
  readonly generation: number;
}

/** Groups of one topic. Reads what is on disk once per group, then answers from memory. */
export class GroupOffsets {
  readonly #directory: string;
  readonly #writerEpoch: number;
  readonly #groups = new Map<string, Group>();
  readonly #dirty = new Set<string>();

  /** @throws {CorruptLogError} When a group's name or both slots of an offset cannot be read. */
  constructor(directory: string, writerEpoch: number) {
    this.#directory = directory;
    this.#writerEpoch = writerEpoch;
    for (const { path, json } of listNamedDirectories(directory, FILE)) {
      this.#groups.set(json.name, loadGroup(path));
    }
  }

  get dirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** The stored offset, or undefined when the group has none here. */
  get(groupId: string, partition: number): GroupOffset | undefined {
    return this.#groups.get(groupId)?.slots.get(partition)?.value;
  }

  /**
   * Stores an offset: one positional write into the older slot. The caller has checked the
   * metadata's length.
   */
  set(groupId: string, partition: number, value: GroupOffset): void {
    const group = this.#groups.get(groupId) ?? this.#create(groupId);
    const sequence = (group.slots.get(partition)?.sequence ?? 0) + 1;
    const slot = encodeSlot(GROUP_MAGIC, { sequence, body: encode(value, this.#writerEpoch) });
    const path = join(group.directory, `${partition}.offset`);
    const isNew = !group.slots.has(partition);
    const fd = openForWriting(path);
    try {
      writeFully(fd, slot, (sequence % 2) * SLOT_BYTES);
      // The first one is made durable at once: it keeps a group that starts at the end from
      // skipping (O10).
      if (isNew) fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (isNew) syncDirectory(group.directory);
    else this.#dirty.add(path);
    group.slots.set(partition, { sequence, value });
  }

  /** Makes what is stored durable, off the event loop. */
  async sync(): Promise<void> {
    const paths = [...this.#dirty];
    this.#dirty.clear();
    for (const path of paths) {
      const fd = openSync(path, "r+");
      try {
        await new Promise<void>((resolve, reject) => {
          fdatasync(fd, (error) => (error ? reject(error) : resolve()));
        });
      } finally {
        closeSync(fd);
      }
    }
  }

  syncNow(): void {
    for (const path of this.#dirty) {
      const fd = openSync(path, "r+");
      try {
        fdatasyncSync(fd);
      } finally {
        closeSync(fd);
      }
    }
    this.#dirty.clear();
  }

  #create(groupId: string): Group {
    const directory = createNamedDirectory(this.#directory, FILE, { name: groupId });
    const group = { directory, slots: new Map() };
    this.#groups.set(groupId, group);
    return group;
  }
}

interface Group {
  readonly directory: string;
  readonly slots: Map<number, { readonly sequence: number; readonly value: GroupOffset }>;
}

function loadGroup(directory: string): Group {
  const slots: Group["slots"] = new Map();
  for (const name of readdirSync(directory)) {
    const partition = /^(\d+)\.offset$/.exec(name)?.[1];
    if (partition === undefined) continue;
    const bytes = readIfThere(join(directory, name));
    // Made, but the first commit did not get into it.
    if (bytes === undefined || bytes.every((byte) => byte === 0)) continue;
    const slot = newestSlot(bytes, SLOT_BYTES, GROUP_MAGIC);
    const value = slot && decode(slot.body);
    if (value === undefined) {
      // "No offset" would let a group that starts at the end skip messages.
      throw new CorruptLogError(
        "Cannot open the log as one slot of an offset must be intact: " +
          `received none in ${join(directory, name)}`,
      );
    }
    slots.set(Number(partition), { sequence: slot!.sequence, value });
  }
  return { directory, slots };
}

function encode(value: GroupOffset, writerEpoch: number): Buffer {
  const metadata = Buffer.from(value.metadata);
  const body = Buffer.alloc(FIXED_BYTES + metadata.length);
  write64(body, 0, value.offset);
  writeU32(body, 8, value.generation);
  writeU32(body, 12, writerEpoch);
  writeU32(body, 16, metadata.length);
  body.set(metadata, FIXED_BYTES);
  return body;
}

function decode(body: Buffer): GroupOffset | undefined {
  if (body.length < FIXED_BYTES || body.length > SLOT_BYTES - SLOT_HEADER_BYTES) return undefined;
  const end = FIXED_BYTES + readU32(body, 16);
  if (end !== body.length) return undefined;
  return {
    offset: readU64(body, 0),
    metadata: body.toString("utf8", FIXED_BYTES, end),
    generation: readU32(body, 8),
  };
}

function openForWriting(path: string): number {
  try {
    return openSync(path, "r+");
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    return openSync(path, "w");
  }
}
