/**
 * The memory of a channel as a thread of the model sees it.
 *
 * Plain accesses are no steps: a scheduler need not stop at them as long as no two of them race. That is checked: an
 * access must be ordered, by atomics, behind those of the other thread that it conflicts with (vector clocks, as in
 * FastTrack: Flanagan and Freund, 2009, without its shortcuts). With that, all interleavings of the atomics alone are all
 * that can happen, on processors that reorder too.
 */
import type { FrameMemory } from "../../../src/worker/frame-memory.ts";

const CELL_BYTES = 8;

/** What happened to a cell last: per thread the time, by that thread's own clock, 0 for never. */
interface Cell {
  readonly written: [number, number];
  readonly read: [number, number];
}

type VectorClock = [number, number];

/** A history at one moment. */
export type HistoryMark = readonly number[];

/**
 * What the state of a thread follows from: hashes of all that it has read, per call that is under way.
 *
 * When a call has returned, how it went no longer matters, but for what it returned and what it left in the fields of
 * objects. So threads that came to the same state in different ways are seen to be the same.
 */
export class History {
  /** Two independent hashes of 32 bits for each call, the outermost first. */
  #hashes: number[] = [1, 1];
  /** What happens is a repetition, and `return()` will say what it comes to. */
  isOff = false;

  /** All that went before comes to this. */
  restart(state: string): void {
    this.#hashes.fill(1);
    this.#addText(state);
  }

  add(value: number): void {
    if (this.isOff) return;
    const hashes = this.#hashes;
    const at = hashes.length - 2;
    const mixed = Math.imul(hashes[at]! ^ value, 0x01000193);
    hashes[at] = mixed ^ (mixed >>> 15);
    const other = Math.imul(hashes[at + 1]! ^ value, 0xcc9e2d51) + 1;
    hashes[at + 1] = (other << 13) | (other >>> 19);
  }

  /** A call begins. */
  enter(): void {
    this.#hashes.push(1, 1);
  }

  /** It has ended. @param outcome What it returned and left; undefined when it is not to be forgotten how. */
  leave(outcome: () => string | undefined): void {
    const b = this.#hashes.pop()!;
    const a = this.#hashes.pop()!;
    // Whoever has read nothing has learnt nothing.
    if (this.isOff || (a === 1 && b === 1)) return;
    const text = outcome();
    if (text !== undefined) this.#addText(text);
    else {
      this.add(a);
      this.add(b);
    }
  }

  get key(): string {
    return this.#hashes.join();
  }

  get mark(): HistoryMark {
    return [...this.#hashes];
  }

  return(mark: HistoryMark): void {
    this.#hashes = [...mark];
  }

  #addText(text: string): void {
    for (let at = 0; at < text.length; at++) this.add(text.charCodeAt(at));
  }
}

/** The memory, who did what to it, and in which order that is known to be. */
export class ModelMemory {
  readonly ints: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #controlBytes: number;
  readonly #cells: Cell[] = [];
  readonly #clocks: readonly [VectorClock, VectorClock] = [
    [1, 0],
    [0, 1],
  ];
  readonly #wordClocks = new Map<number, VectorClock>();
  /** Constructors read control words as they are; afterwards only atomics may. */
  started = false;

  constructor(memory: SharedArrayBuffer, controlBytes: number) {
    this.ints = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
    this.#controlBytes = controlBytes;
    for (let at = 0; at < memory.byteLength; at += CELL_BYTES) {
      this.#cells.push({ written: [0, 0], read: [0, 0] });
    }
  }

  /** An atomic operation reads a word: what was done before it was written is known from now on. */
  acquire(thread: number, word: number): void {
    const from = this.#wordClocks.get(word);
    const own = this.#clocks[thread]!;
    if (from === undefined) return;
    own[0] = Math.max(own[0], from[0]);
    own[1] = Math.max(own[1], from[1]);
  }

  /** An atomic operation writes a word. */
  release(thread: number, word: number): void {
    const own = this.#clocks[thread]!;
    this.#wordClocks.set(word, [own[0], own[1]]);
    own[thread]!++;
  }

  /** All of it that can differ, as text. */
  get key(): string {
    let text = "";
    for (let word = 0; word < this.#controlBytes / 4; word += 32) text += `${this.ints[word]},`;
    return text + this.ints.subarray(this.#controlBytes / 4).join();
  }

  /** The views of one thread. */
  viewsOf(thread: number, history: History): FrameMemory {
    const words = new Proxy(this.ints, {
      get: (ints, name) => {
        const word = Number(name as string);
        this.#access(thread, word * 4, 4, false);
        history.add(ints[word]!);
        return ints[word];
      },
      set: (ints, name, value: number) => {
        const word = Number(name as string);
        this.#access(thread, word * 4, 4, true);
        ints[word] = value;
        return true;
      },
    });
    const bytes = {
      set: (from: Uint8Array, at = 0) => {
        this.#access(thread, at, from.length, true);
        this.#bytes.set(from, at);
      },
      subarray: (start: number, end: number) => {
        this.#access(thread, start, end - start, false);
        const copy = this.#bytes.slice(start, end);
        for (const byte of copy) history.add(byte);
        return copy;
      },
    };
    // What the channel uses of them.
    return { words, bytes, floats: words } as unknown as FrameMemory;
  }

  #access(thread: number, start: number, byteLength: number, writes: boolean): void {
    if (!this.started) return;
    if (start < this.#controlBytes) throw new Error(`a control word is touched without atomics`);
    const other = 1 - thread;
    const own = this.#clocks[thread]!;
    for (let at = start - (start % CELL_BYTES); at < start + byteLength; at += CELL_BYTES) {
      const cell = this.#cells[at / CELL_BYTES];
      if (cell === undefined) throw new Error(`byte ${at} lies outside of the memory`);
      const ordered =
        cell.written[other]! <= own[other]! && (!writes || cell.read[other]! <= own[other]!);
      if (!ordered) throw new Error(`both threads touch byte ${at} at the same time`);
      if (writes) cell.written[thread] = own[thread]!;
      else cell.read[thread] = own[thread]!;
    }
  }
}
