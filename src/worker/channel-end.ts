import { ClosedError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import { systemClock } from "../runtime/system-clock.ts";
import type { ChannelEnd, EndOptions, ListenOptions, OnFrame } from "./channel.ts";
import { type ChannelLayout, SLEEP_FOR_FRAMES, SLEEP_FOR_ROOM } from "./control.ts";
import type { FrameMemory } from "./frame-memory.ts";
import { FrameQueue } from "./frame-queue.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { RingReader } from "./ring-reader.ts";
import { KIND_MASK, RingWriter } from "./ring-writer.ts";
import { Sleeper, Waker } from "./sleep.ts";
import { TurnClock } from "./turn-clock.ts";

const DEFAULT_MAX_QUEUED_BYTES: number = 256 * 1024 * 1024;

/** One side of a channel, over shared memory. */
export class SharedChannelEnd implements ChannelEnd {
  readonly #words: Int32Array;
  readonly #layout: ChannelLayout;
  readonly #out: RingWriter;
  readonly #in: RingReader;
  readonly #queue: FrameQueue;
  readonly #sleeper: Sleeper;
  readonly #waker: Waker;
  readonly #mayBlock: boolean;
  readonly #writer = new FrameWriter();
  readonly #reader = new FrameReader();
  readonly #turns = new TurnClock(systemClock);
  /** Kind of the frame that was begun. */
  #kind = -1;
  #listening = false;
  /** Inside of `onFrame`: the frame and its reader are in use. */
  #reading = false;
  /** `read()` has read frames since `afterBatch` was called: it wants to see them too. */
  #readBeside = false;
  #closing = false;
  #abandoned = false;

  constructor(memory: FrameMemory, layout: ChannelLayout, options: EndOptions) {
    const { ringBytes, outStart, inStart, own, other } = layout;
    const { words } = memory;
    const { maxQueuedBytes = DEFAULT_MAX_QUEUED_BYTES, ring: bell = noBell } = options;
    const byBell = options.sleepsByBell ?? typeof Atomics.waitAsync !== "function";
    this.#words = words;
    this.#layout = layout;
    const ring = { memory, capacity: ringBytes };
    const out = { ...ring, start: outStart, headWord: own.head, tailWord: other.tail };
    this.#out = new RingWriter(out);
    const into = { ...ring, start: inStart, headWord: other.head, tailWord: own.tail };
    this.#in = new RingReader(into);
    this.#queue = new FrameQueue(this.#out, maxQueuedBytes);
    this.#sleeper = new Sleeper(words, own.sleep, byBell);
    this.#waker = new Waker(words, other.sleep, bell);
    this.#mayBlock = !byBell;
  }

  get closed(): boolean {
    return this.#closing || this.#abandoned;
  }
  get otherSleeps(): boolean {
    return Atomics.load(this.#words, this.#layout.other.sleep) !== 0;
  }
  get queuedBytes(): number {
    return this.#queue.byteLength;
  }

  begin(kind: number): FrameWriter {
    invariant(this.#kind === -1, "a frame is committed before the next one is begun");
    invariant((kind & KIND_MASK) === kind, `kinds of frames are 0…${KIND_MASK}`);
    if (this.closed) {
      throw new ClosedError(
        `Cannot send a frame as its channel must be open: received kind ${kind}`,
      );
    }
    this.#kind = kind;
    // A later frame must not overtake one that waits.
    if (this.#queue.isEmpty) this.#out.begin(this.#writer);
    else this.#writer.beginMoved();
    return this.#writer;
  }

  commit(): void {
    const kind = this.#kind;
    if (kind === -1 && this.closed) return;
    invariant(kind !== -1, "a frame is begun before it is committed");
    this.#kind = -1;
    const writer = this.#writer;
    if (!writer.moved) this.#out.commit(kind, writer.byteLength);
    else if (!this.#placeMoved(kind)) this.#queue.add(kind, writer.takeMoved());
    if (this.#out.hidesMuch) this.flush();
  }

  flush(): void {
    const drained = this.#queue.isEmpty || this.#queue.drain();
    if (this.#out.publish()) this.#waker.wake(SLEEP_FOR_FRAMES);
    if (!drained) {
      // It went to sleep before there was anything to wait with.
      if (this.#sleeper.sleepsWithout(SLEEP_FOR_ROOM)) this.#sleeper.wakeSelf();
    } else if (this.#closing) this.#sayClosed();
  }

  read(onFrame: OnFrame): number {
    invariant(!this.#reading, "frames are read one at a time");
    let count = 0;
    try {
      while (this.#in.look()) {
        for (; this.#in.next(this.#reader); count++) onFrame(this.#reader);
        this.#release();
      }
    } finally {
      this.#release();
      this.#readBeside ||= count > 0;
    }
    return count;
  }

  async listen(options: ListenOptions): Promise<void> {
    invariant(!this.#listening, "a channel end is listened to once");
    this.#listening = true;
    while (!this.#abandoned) {
      // Looked at before the frames: those before the last one are there by now.
      const otherClosed = Atomics.load(this.#words, this.#layout.other.closed) === 1;
      const more = this.#readTurn(options.onFrame);
      this.#readBeside = false;
      const busy = this.closed ? false : options.afterBatch?.();
      this.flush();
      if (more || busy || (this.#readBeside && this.#turns.look())) await this.#turns.next();
      else if (this.#readBeside) continue;
      else if (otherClosed || (this.#closing && this.#queue.isEmpty)) this.abandon();
      else if (!this.#abandoned) await this.#sleep(options);
    }
  }

  rung(): void {
    this.#sleeper.rung();
  }

  close(): void {
    if (this.closed) return;
    this.#closing = true;
    this.#kind = -1;
    this.flush();
    // listen() has to see it.
    this.#sleeper.wakeSelf();
  }

  abandon(): void {
    this.#abandoned = true;
    this.#kind = -1;
    this.#queue.clear();
    this.#sleeper.wakeSelf();
  }

  /** Reads until nothing is left, or the event loop must have a turn: true then. */
  #readTurn(onFrame: OnFrame): boolean {
    const turns = this.#turns;
    this.#reading = true;
    try {
      while (this.#in.look()) {
        while (this.#in.next(this.#reader)) {
          onFrame(this.#reader);
          if (this.#abandoned) return false;
          if (this.#in.holdsMuch) this.#release();
          if (!turns.spend()) continue;
          this.#release();
          if (turns.isOver) return true;
        }
        this.#release();
      }
    } finally {
      this.#reading = false;
      this.#release();
    }
    return false;
  }

  #release(): void {
    if (this.#in.release()) this.#waker.wake(SLEEP_FOR_ROOM);
  }

  async #sleep({ blockMs }: ListenOptions): Promise<void> {
    if (this.#turns.look()) {
      await this.#turns.next();
      return;
    }
    const sends = !this.#queue.isEmpty;
    this.#sleeper.fallAsleep(SLEEP_FOR_FRAMES | (sends ? SLEEP_FOR_ROOM : 0));
    // What came before the word was set rang for nobody: without this look it would lie there.
    if (!this.#hasWork(sends)) {
      const ms = this.#mayBlock && blockMs !== undefined ? blockMs() : 0;
      if (ms <= 0 || !this.#sleeper.block(ms)) {
        if (await this.#sleeper.wait()) this.#turns.begin();
      }
    }
    this.#sleeper.getUp();
  }

  #hasWork(sends: boolean): boolean {
    return (
      this.#in.look() ||
      (sends && this.#out.look()) ||
      Atomics.load(this.#words, this.#layout.other.closed) === 1
    );
  }

  /** Puts a frame that was not written in place into the ring, if nothing waits before it. */
  #placeMoved(kind: number): boolean {
    const { byteLength, memory } = this.#writer;
    if (!this.#queue.isEmpty || byteLength > this.#out.maxFrameBytes) return false;
    return this.#out.place(kind, memory.bytes.subarray(0, byteLength));
  }

  #sayClosed(): void {
    Atomics.store(this.#words, this.#layout.own.closed, 1);
    this.#waker.wake(SLEEP_FOR_FRAMES);
  }
}

function noBell(): void {
  invariant(false, "a side that is woken by messages has told the other one how to post them");
}
