/**
 * The two-way channel between the polling thread and one worker thread: what both sides may rely on.
 *
 * A channel is one `SharedArrayBuffer`: control words, a ring of frames per direction, and an arena for the messages
 * of calls. The polling thread makes it (`createChannel()`), hands `memory` to the thread at its start, and the
 * thread joins it (`joinChannel()`). README.md beside this file has the protocol.
 *
 * Frames arrive in the order in which they were committed, each exactly once. They are read at once and then gone;
 * what must live as long as a call (its messages) lies in the arena, where the polling thread alone gives out room.
 */
import type { PolledBatch } from "../polled-batch.ts";
import type { Deserializer, Message } from "../types.ts";
import type { FrameReader } from "./frame-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";

/** Called for each frame, in order. The reader is valid until it returns. */
export type OnFrame = (frame: FrameReader) => void;

/** How {@link ChannelEnd.listen} works. */
export interface ListenOptions {
  readonly onFrame: OnFrame;
  /**
   * No more frames are there, or the thread is about to give way. What takes long belongs here and not into `onFrame`:
   * the ring is free meanwhile, and `read()` may be called.
   *
   * @returns true when there is more to do: it is called again, after a turn of the event loop.
   */
  readonly afterBatch?: () => boolean | undefined;
  /**
   * Milliseconds that the thread may block in wait for the next frame, asked before it goes to sleep: above 0 only
   * where nothing asynchronous runs in it. What it has not got by then it waits for without blocking. Never on the
   * polling thread.
   */
  readonly blockMs?: () => number;
}

/** One side of a channel. Everything here is called by the thread that owns this side, and never blocks it. */
export interface ChannelEnd {
  /**
   * Begins a frame. Its bytes are written in place where the ring has room for them.
   *
   * One frame at a time: `commit()` comes before the next `begin()`. A full ring and a frame larger than the ring are
   * no errors: such frames wait in memory of this thread, later ones behind them, and go on by themselves as the other
   * side makes room, oversized ones in pieces.
   *
   * @param kind What the frame is, 0…65,535; up to the two sides.
   * @throws {ClosedError} After `close()` or `abandon()`, or once the other side has closed.
   */
  begin(kind: number): FrameWriter;
  /**
   * The frame is complete. The other side sees it at the latest after `flush()`; in a long batch earlier, so that both
   * sides work at the same time.
   *
   * @throws {CapacityError} When more than `maxQueuedBytes` would wait; the frame is dropped.
   */
  commit(): void;
  /** Shows all committed frames to the other side, and wakes it if it sleeps: once per batch, not once per frame. */
  flush(): void;
  /**
   * Reads the frames that are there now, beside `listen()`: in the middle of long work, or a last time when the other
   * thread has died. Not inside of `onFrame`.
   *
   * @returns How many there were.
   */
  read(onFrame: OnFrame): number;
  /**
   * Reads frames until this side or the other one is closed, sleeping in between. Flushes after each batch, and gives
   * the event loop a turn at least every 10 ms, as far as the callbacks return by then.
   *
   * A sleeping side keeps no process alive: a thread or a timer that is referenced does.
   *
   * @returns Settles after the last frame; rejects with what a callback threw. Once per channel end.
   */
  listen(options: ListenOptions): Promise<void>;
  /** The wake-up of a side that sleeps by the bell (see {@link ChannelOptions}): call it when the bell's message came. */
  rung(): void;
  /** No more frames from this side: what was committed still arrives, then the other side's `listen()` settles. */
  close(): void;
  /** The other side is dead, or nobody wants to know: nothing is sent or read any more, `listen()` settles. */
  abandon(): void;
  /** After `close()` or `abandon()` here. */
  readonly closed: boolean;
  /** The other side sleeps: the next `flush()` has to wake it, which costs some microseconds. */
  readonly otherSleeps: boolean;
  /** Bytes of frames that wait for room in the ring. */
  readonly queuedBytes: number;
}

/** Room for the messages of one call in the arena. Owned by the polling thread. */
export interface Region {
  /**
   * The messages may be overwritten from now on: the worker has said that the call has ended, or the worker is dead.
   * Not before: a call whose lease is over still reads them. Once.
   */
  free(): void;
}

/**
 * Writes the messages of calls, one call after the other: `add()` each, then `begin()` a frame on the channel, `write()`
 * into it, `commit()`. Lives on the polling thread; one per channel.
 */
export interface MessageEncoder {
  /** The next message of the call. */
  add(batch: PolledBatch, index: number): void;
  /** Messages added since the last `write()`. */
  readonly count: number;
  /**
   * Puts the messages into the arena, and where they are into the frame. Messages for which the arena has no room
   * travel in the frame itself. The next `add()` belongs to the next call.
   *
   * @returns Their room, to be freed once the call has ended; null when there is nothing to free.
   */
  write(frame: FrameWriter): Region | null;
  /** Forgets what was added: the frame is not sent. */
  clear(): void;
}

/** What the messages of one call have in common; sent by other frames. Any object of the caller's that has these. */
export interface MessageOrigin {
  readonly topic: string;
  readonly partition: number;
  readonly deserializer: Deserializer<unknown> | null;
}

/** The messages of one call as a worker has them, read in place. */
export interface CallMessages {
  readonly count: number;
  /** As it was given to `MessageReader.read()`. */
  readonly origin: MessageOrigin;
  /** The same object for the same index. */
  at(index: number): Message;
  offsetAt(index: number): number;
  /** The call has ended: whoever reads a message now gets `HEADRACE_MESSAGE_EXPIRED` (W2). */
  expire(): void;
}

/** Reads the messages of calls. Lives on the worker thread; one per channel. */
export interface MessageReader {
  /**
   * Reads what `MessageEncoder.write()` has written, at the same place of the frame.
   *
   * @returns Valid after the frame is gone, until `expire()`.
   */
  read(frame: FrameReader, origin: MessageOrigin): CallMessages;
}

/** Sizes and ways of a channel. Both sides get the same sizes: `joinChannel()` reads them from the memory. */
export interface ChannelOptions {
  /** Bytes of each ring: a power of two, 64…2³⁰. Default 128 KiB. */
  readonly ringBytes?: number;
  /** Bytes of the arena, a multiple of 8. Default 4 MiB. */
  readonly arenaBytes?: number;
}

/** What each side says for itself. */
export interface EndOptions {
  /** Most bytes of frames that may wait for room in the ring. Default 256 MiB. */
  readonly maxQueuedBytes?: number;
  /**
   * Sleeps by messages instead of `Atomics.waitAsync`, and so does the other side's wake-up: default where the runtime
   * lacks `waitAsync`.
   */
  readonly sleepsByBell?: boolean;
  /** Posts an empty message to the other side, whose handler calls `rung()`. Needed where that side sleeps by the bell. */
  readonly ring?: () => void;
}
