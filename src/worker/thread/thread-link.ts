import type { Message } from "../../types.ts";
import type { ChannelEnd, OnFrame } from "../channel.ts";
import { errorToText } from "../error-text.ts";
import {
  COLLAPSE,
  DEAD_LETTER,
  DONE,
  FAILED,
  HOOK_DONE,
  MARK,
  PAUSE,
  RELEASE,
  SYNCHRONIZE,
  TEXT,
} from "../frames.ts";

/** What a thread tells the polling thread, and asks it. */
export class ThreadLink {
  readonly #end: ChannelEnd;
  readonly #onFrame: OnFrame;
  readonly #questions = new Map<number, (error: unknown) => void>();
  #lastQuestion = 0;
  #flushing = false;

  constructor(end: ChannelEnd, onFrame: OnFrame) {
    this.#end = end;
    this.#onFrame = onFrame;
  }

  /** Reads what the polling thread has sent, in the middle of a handler. */
  look(): void {
    this.#end.read(this.#onFrame);
  }

  flush(): void {
    this.#end.flush();
  }

  /** The polling thread has to be woken to see what is flushed. */
  get sleeps(): boolean {
    return this.#end.otherSleeps;
  }

  /** Flushes once what runs now has given way: what is said together goes together. */
  flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#end.flush();
    });
  }

  done(call: number): void {
    this.#end.begin(DONE).u32(call);
    this.#end.commit();
  }

  failed(call: number, error: unknown): void {
    const frame = this.#end.begin(FAILED);
    frame.u32(call);
    frame.text(errorToText(error));
    this.#end.commit();
  }

  /** @param call 0: it has ended. */
  mark(call: number, lease: number, offset: number, laneKey: number, text: string | null): void {
    const frame = this.#end.begin(MARK);
    frame.u32(call);
    frame.u32(lease);
    frame.f64(offset);
    frame.f64(laneKey);
    frame.optionalText(text);
    this.#send();
  }

  text(lease: number, offset: number, text: string): void {
    const frame = this.#end.begin(TEXT);
    frame.u32(lease);
    frame.f64(offset);
    frame.text(text);
    this.#send();
  }

  collapseUntil(lease: number, offset: number): void {
    const frame = this.#end.begin(COLLAPSE);
    frame.u32(lease);
    frame.f64(offset);
    this.#end.commit();
    // At once, though its handler may go on for long: other calls are to be kept from starting.
    this.#end.flush();
  }

  pause(lease: number, ms: number): void {
    const frame = this.#end.begin(PAUSE);
    frame.u32(lease);
    frame.f64(ms);
    this.#end.commit();
    this.#end.flush();
  }

  hooked(question: number, errors: readonly unknown[]): void {
    const frame = this.#end.begin(HOOK_DONE);
    frame.u32(question);
    frame.u32(errors.length);
    for (const error of errors) frame.text(errorToText(error));
    this.#send();
  }

  /**
   * Asks for a dead letter; settles once it is acknowledged and marked.
   *
   * @param copy The message, where the polling thread has it no more: it is not of the call.
   */
  deadLetter(
    call: number,
    lease: number,
    place: { readonly offset: number; readonly laneKey: number },
    reason: string,
    copy: Message | null,
  ): Promise<void> {
    // Read before the frame begins: an expired message throws.
    const record = copy === null ? null : recordOf(copy);
    const question = ++this.#lastQuestion;
    const frame = this.#end.begin(DEAD_LETTER);
    frame.u32(question);
    frame.u32(call);
    frame.u32(lease);
    frame.f64(place.offset);
    frame.f64(place.laneKey);
    frame.text(reason);
    frame.u32(record === null ? 0 : 1);
    if (record !== null) {
      frame.f64(record.timestamp);
      for (const bytes of [record.key, record.value]) {
        frame.u32(bytes === null ? 0 : 1);
        if (bytes !== null) frame.bytes(bytes);
      }
      frame.u32(record.headers.length);
      for (const [name, value] of record.headers) {
        frame.text(name);
        frame.bytes(value);
      }
    }
    this.#send();
    return this.#answerTo(question);
  }

  /** Runs alone among the calls of a topic partition in the process. */
  async synchronize<R>(lease: number, fn: () => R | Promise<R>): Promise<R> {
    const question = ++this.#lastQuestion;
    const frame = this.#end.begin(SYNCHRONIZE);
    frame.u32(question);
    frame.u32(lease);
    this.#send();
    await this.#answerTo(question);
    try {
      return await fn();
    } finally {
      this.#end.begin(RELEASE).u32(question);
      this.#send();
    }
  }

  /** @param error undefined: it is as was asked. */
  answered(question: number, error: unknown): void {
    const settle = this.#questions.get(question);
    this.#questions.delete(question);
    settle?.(error);
  }

  #send(): void {
    this.#end.commit();
    this.flushSoon();
  }

  #answerTo(question: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#questions.set(question, (error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  }
}

interface RecordFields {
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array])[];
}

function recordOf({ timestamp, key, value, headers }: Message): RecordFields {
  return { timestamp, key, value, headers: headers.entries() };
}
