import { ProcessError } from "../errors.ts";
import { headerList } from "../header-list.ts";
import { readPayload } from "../read-payload.ts";
import type { Message, MessageHeaders } from "../types.ts";
import type { CallMessages, MessageOrigin, MessageReader } from "./channel.ts";
import { type FrameMemory, privateMemory } from "./frame-memory.ts";
import type { FrameReader } from "./frame-reader.ts";
import { IN_FRAME } from "./message-encoder.ts";
import {
  KEY_WORD,
  RECORD_BYTES,
  RecordWriter,
  readBytes,
  readHeaders,
  recordBytes,
  VALUE_WORD,
} from "./message-layout.ts";

const decoder: TextDecoder = new TextDecoder();
const NOT_MADE: unique symbol = Symbol("payload not made");

/** A message of a call in a worker: a view of the call's memory, or a detached copy with memory of its own. */
class SharedMessage<T = unknown> implements Message<T> {
  readonly #call: MessagesOfCall;
  readonly #index: number;
  readonly #copy: FrameMemory | null;
  #payload: unknown = NOT_MADE;

  constructor(call: MessagesOfCall, index: number, copy: FrameMemory | null) {
    this.#call = call;
    this.#index = index;
    this.#copy = copy;
  }

  static find(message: unknown): { messages: CallMessages; index: number } | undefined {
    if (typeof message !== "object" || message === null || !(#call in message)) return undefined;
    return { messages: message.#call, index: message.#index };
  }

  // What names a message outlives its call: handlers log and mark by it.
  get topic(): string {
    return this.#call.origin.topic;
  }
  get partition(): number {
    return this.#call.origin.partition;
  }
  get offset(): number {
    return this.#call.offsetAt(this.#index);
  }

  get timestamp(): number {
    const memory = this.#read();
    return memory.floats[(this.#record >> 3) + 1]!;
  }
  get key(): Uint8Array | null {
    return readBytes(this.#read(), this.#start, this.#record, KEY_WORD);
  }
  get value(): Uint8Array | null {
    return readBytes(this.#read(), this.#start, this.#record, VALUE_WORD);
  }
  get headers(): MessageHeaders {
    return headerList(readHeaders(this.#read(), this.#start, this.#record));
  }

  get payload(): T {
    this.#read();
    if (this.#payload === NOT_MADE) {
      this.#payload = readPayload(this.#call.origin.deserializer, this);
    }
    return this.#payload as T;
  }

  keyText(): string | null {
    const { key } = this;
    return key === null ? null : decoder.decode(key);
  }
  text(): string | null {
    const { value } = this;
    return value === null ? null : decoder.decode(value);
  }
  json<V = T>(): V {
    const text = this.text();
    return (text === null ? null : JSON.parse(text)) as V;
  }

  detach(): Message<T> {
    const { offset, timestamp, key, value } = this;
    const record = { offset, timestamp, key, value, headers: this.headers.entries() };
    const memory = privateMemory(recordBytes(record));
    const writer = new RecordWriter();
    writer.begin(memory, 0, 1);
    writer.add(record);
    return new SharedMessage<T>(this.#call, this.#index, memory);
  }

  /** @throws {ProcessError} Once the call has ended: other messages lie in that memory by then. */
  #read(): FrameMemory {
    if (this.#copy !== null) return this.#copy;
    if (!this.#call.expired) return this.#call.memory;
    const where = `${this.topic}#${this.partition}@${this.offset}`;
    throw new ProcessError(
      `Cannot read a message as its call must not have ended: received ${where}, and no detach()`,
      { code: "HEADRACE_MESSAGE_EXPIRED" },
    );
  }

  get #start(): number {
    return this.#copy === null ? this.#call.start : 0;
  }
  get #record(): number {
    return this.#copy === null ? this.#call.start + this.#index * RECORD_BYTES : 0;
  }
}

class MessagesOfCall implements CallMessages {
  readonly count: number;
  readonly origin: MessageOrigin;
  readonly memory: FrameMemory;
  readonly start: number;
  expired = false;
  readonly #firstOffset: number;
  /** Of the messages behind the first one: they are asked for after the memory is gone. */
  readonly #offsets: Float64Array | null;
  readonly #views: (SharedMessage | undefined)[];

  constructor(origin: MessageOrigin, memory: FrameMemory, start: number, count: number) {
    this.origin = origin;
    this.memory = memory;
    this.start = start;
    this.count = count;
    this.#views = new Array(count);
    this.#firstOffset = memory.floats[start >> 3]!;
    this.#offsets = count === 1 ? null : new Float64Array(count);
    for (let index = 1; index < count; index++) {
      this.#offsets![index] = memory.floats[(start + index * RECORD_BYTES) >> 3]!;
    }
  }

  at(index: number): Message {
    let view = this.#views[index];
    if (view === undefined) {
      view = new SharedMessage(this, index, null);
      this.#views[index] = view;
    }
    return view;
  }

  offsetAt(index: number): number {
    return index === 0 ? this.#firstOffset : this.#offsets![index]!;
  }

  expire(): void {
    this.expired = true;
  }
}

/** Reads the messages of calls out of one channel. */
export class SharedMessageReader implements MessageReader {
  readonly #memory: FrameMemory;
  readonly #arenaStart: number;

  constructor(memory: FrameMemory, arenaStart: number) {
    this.#memory = memory;
    this.#arenaStart = arenaStart;
  }

  read(frame: FrameReader, origin: MessageOrigin): CallMessages {
    const count = frame.u32();
    const byteLength = frame.u32();
    const position = frame.u32();
    if (position !== IN_FRAME) {
      return new MessagesOfCall(origin, this.#memory, this.#arenaStart + position, count);
    }
    const { memory, start } = frame.take(byteLength);
    return new MessagesOfCall(origin, memory, start, count);
  }
}

/**
 * Which message of which call something is, also after it has expired; undefined for what is no message of a call. A
 * message that `detach()` copied answers for its original.
 */
export function findMessage(
  message: unknown,
): { messages: CallMessages; index: number } | undefined {
  return SharedMessage.find(message);
}
