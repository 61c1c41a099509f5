/**
 * The memory of a channel: control words, two rings, the arena. README.md has it as a drawing.
 *
 * Each word has a cache line of its own (128 bytes: processors fetch lines in pairs), so that a side that polls one does
 * not slow down the side that writes another.
 */
import { show } from "../validate.ts";

/** Changes with the layout; both sides come from one copy of the library, so it only catches foreign memory. */
const MAGIC = 0x68647231;
const LINE_WORDS = 32;

/** Written once, before the thread starts. */
const MAGIC_WORD = 0;
const RING_BYTES_WORD = 1;
const ARENA_BYTES_WORD = 2;

/** Indexes of the control words of one side, in `Int32Array` units. */
export interface SideWords {
  /** Bytes that this side has shown to the other, modulo 2³². Written by this side. */
  readonly head: number;
  /** Bytes of the other side's frames that this side is done with, modulo 2³². Written by this side. */
  readonly tail: number;
  /**
   * 0 while awake, else how this side sleeps (`SLEEP_…`), and what it waits on. Set by this side; whoever wakes it
   * takes it back to 0, and only the one that did so rings.
   */
  readonly sleep: number;
  /** 1: no more frames from this side. Written by this side. */
  readonly closed: number;
}

const POLLING_SIDE: SideWords = sideWords(1);
const WORKER_SIDE: SideWords = sideWords(5);
const CONTROL_BYTES: number = 9 * LINE_WORDS * 4;

function sideWords(line: number): SideWords {
  const word = (index: number): number => (line + index) * LINE_WORDS;
  return { head: word(0), tail: word(1), sleep: word(2), closed: word(3) };
}

/** It sleeps until frames come or the other side closes. */
export const SLEEP_FOR_FRAMES = 1;
/** Frames of its own wait as well: until there is room in the ring they go to. */
export const SLEEP_FOR_ROOM = 2;
/** To be woken by a message, not by `Atomics.notify`. */
export const SLEEP_BY_BELL = 4;

/** What one side needs to know about the memory. Starts and lengths in bytes. */
export interface ChannelLayout {
  readonly ringBytes: number;
  readonly outStart: number;
  readonly inStart: number;
  readonly arenaStart: number;
  readonly arenaBytes: number;
  readonly own: SideWords;
  readonly other: SideWords;
}

const DEFAULT_RING_BYTES: number = 128 * 1024;
const DEFAULT_ARENA_BYTES: number = 4 * 1024 * 1024;
const MIN_RING_BYTES = 64;
const MAX_RING_BYTES: number = 2 ** 30;
const MAX_ARENA_BYTES: number = 2 ** 30;

/**
 * New memory of a channel.
 *
 * @throws {RangeError} For a size that is out of its range.
 */
export function channelMemory(
  ringBytes: number = DEFAULT_RING_BYTES,
  arenaBytes: number = DEFAULT_ARENA_BYTES,
): SharedArrayBuffer {
  const powerOfTwo = Number.isSafeInteger(ringBytes) && Number.isInteger(Math.log2(ringBytes));
  if (!powerOfTwo || ringBytes < MIN_RING_BYTES || ringBytes > MAX_RING_BYTES) {
    const rule = `ringBytes must be a power of two from ${MIN_RING_BYTES} to ${MAX_RING_BYTES}`;
    throw new RangeError(`Cannot make a channel as ${rule}: received ${show(ringBytes)}`);
  }
  if (arenaBytes % 8 !== 0 || arenaBytes < 0 || arenaBytes > MAX_ARENA_BYTES) {
    const rule = `arenaBytes must be a multiple of 8 from 0 to ${MAX_ARENA_BYTES}`;
    throw new RangeError(`Cannot make a channel as ${rule}: received ${show(arenaBytes)}`);
  }
  const memory = new SharedArrayBuffer(CONTROL_BYTES + 2 * ringBytes + arenaBytes);
  const words = new Int32Array(memory, 0, LINE_WORDS);
  words[MAGIC_WORD] = MAGIC;
  words[RING_BYTES_WORD] = ringBytes;
  words[ARENA_BYTES_WORD] = arenaBytes;
  return memory;
}

/**
 * Where everything is, as one side sees it.
 *
 * @throws {TypeError} For memory that `channelMemory()` has not made.
 */
export function channelLayout(
  memory: SharedArrayBuffer,
  side: "polling" | "worker",
): ChannelLayout {
  const words = new Int32Array(memory, 0, Math.min(LINE_WORDS, memory.byteLength >> 2));
  const ringBytes = words[RING_BYTES_WORD]!;
  const arenaBytes = words[ARENA_BYTES_WORD]!;
  const length = CONTROL_BYTES + 2 * ringBytes + arenaBytes;
  if (words[MAGIC_WORD] !== MAGIC || memory.byteLength !== length) {
    const rule = "its memory must be that of another end";
    throw new TypeError(
      `Cannot join a channel as ${rule}: received ${memory.byteLength} other bytes`,
    );
  }
  const polling = side === "polling";
  const rings = [CONTROL_BYTES, CONTROL_BYTES + ringBytes] as const;
  return {
    ringBytes,
    outStart: polling ? rings[0] : rings[1],
    inStart: polling ? rings[1] : rings[0],
    arenaStart: CONTROL_BYTES + 2 * ringBytes,
    arenaBytes,
    own: polling ? POLLING_SIDE : WORKER_SIDE,
    other: polling ? WORKER_SIDE : POLLING_SIDE,
  };
}
