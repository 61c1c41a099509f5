import type { PlainRecord } from "../plain-record.ts";
import type { PolledBatch } from "../polled-batch.ts";
import type { Arena } from "./arena.ts";
import type { MessageEncoder, Region } from "./channel.ts";
import type { FrameMemory } from "./frame-memory.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { RecordWriter, recordBytes } from "./message-layout.ts";

/** In place of a position in the arena: the messages are in the frame itself. */
export const IN_FRAME = 0xffffffff;

/** Writes the messages of calls into the arena of a channel. */
export class ArenaEncoder implements MessageEncoder {
  readonly #memory: FrameMemory;
  readonly #arena: Arena;
  readonly #arenaStart: number;
  readonly #writer = new RecordWriter();
  #records: PlainRecord[] = [];
  #byteLength = 0;

  constructor(memory: FrameMemory, arena: Arena, arenaStart: number) {
    this.#memory = memory;
    this.#arena = arena;
    this.#arenaStart = arenaStart;
  }

  get count(): number {
    return this.#records.length;
  }

  add(batch: PolledBatch, index: number): void {
    const { records } = batch;
    const record: PlainRecord = {
      offset: batch.offsetAt(index),
      timestamp: records.timestampAt(index),
      key: records.keyAt(index),
      value: records.valueAt(index),
      headers: records.headersAt(index).entries(),
    };
    this.#records.push(record);
    this.#byteLength += recordBytes(record);
  }

  write(frame: FrameWriter): Region | null {
    const records = this.#records;
    const byteLength = this.#byteLength;
    const region = this.#arena.allocate(byteLength);
    frame.u32(records.length);
    frame.u32(byteLength);
    frame.u32(region === null ? IN_FRAME : region.start);
    if (region === null) {
      const at = frame.room(byteLength);
      this.#writer.begin(frame.memory, at, records.length);
    } else {
      this.#writer.begin(this.#memory, this.#arenaStart + region.start, records.length);
    }
    for (const record of records) this.#writer.add(record);
    this.clear();
    return region;
  }

  clear(): void {
    this.#records = [];
    this.#byteLength = 0;
  }
}
