/** What happens to which message, from a seed: the same in the test and in its threads. */

/** How a handler misbehaves. */
export type Mischief = "none" | "throw" | "exit" | "crash" | "hang" | "spin";

export interface ChaosData {
  readonly form: "eachMessage" | "eachBatch" | "consumer";
  readonly seed: number;
  readonly count: number;
  readonly keys: number;
  /** Int32Array: see {@link ChaosBoard}. */
  readonly board: SharedArrayBuffer;
}

export function mix(seed: number, value: number): number {
  let h = (seed ^ Math.imul(value + 1, 0x9e3779b1)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function keyOf({ seed, keys }: ChaosData, offset: number): number {
  return mix(seed ^ 0x1234, offset) % keys;
}

/** Of the first attempt; later ones are well-behaved. */
export function mischiefOf({ seed }: ChaosData, offset: number): Mischief {
  const roll = mix(seed ^ 0x777, offset) % 10_000;
  if (roll < 100) return "throw";
  if (roll < 104) return "exit";
  if (roll < 107) return "crash";
  if (roll < 109) return "hang";
  // Deno does not end a thread that loops, and it would slow down all that come after it.
  if (roll < 111) return "Deno" in globalThis ? "hang" : "spin";
  return "none";
}

/** What all threads know together: which message was started and done how often, and what was out of order. */
export class ChaosBoard {
  /** Word 0: order breaks; 1: messages done for the first time; then per message: starts, ends. */
  static bytesFor(count: number): number {
    return 4 * (2 + 2 * count);
  }
  readonly #words: Int32Array;
  readonly #count: number;
  readonly #single: boolean;
  readonly #before: Int32Array;
  readonly #after: Int32Array;

  constructor(data: ChaosData) {
    const { count, keys } = data;
    this.#words = new Int32Array(data.board);
    this.#count = count;
    this.#single = data.form === "eachMessage";
    this.#before = new Int32Array(count).fill(-1);
    this.#after = new Int32Array(count).fill(-1);
    const last = new Int32Array(keys).fill(-1);
    for (let offset = 0; offset < count; offset++) {
      const key = keyOf(data, offset);
      const before = last[key]!;
      this.#before[offset] = before;
      if (before >= 0) this.#after[before] = offset;
      last[key] = offset;
    }
  }

  get orderBreaks(): number {
    return Atomics.load(this.#words, 0);
  }
  get done(): number {
    return Atomics.load(this.#words, 1);
  }
  starts(offset: number): number {
    return Atomics.load(this.#words, 2 + offset);
  }
  ends(offset: number): number {
    return Atomics.load(this.#words, 2 + this.#count + offset);
  }

  /**
   * The message before it of its key has ended well, and the one behind it has not begun. The latter holds for single
   * messages only: a batch that fails is handled again from its beginning.
   */
  start(offset: number): void {
    const before = this.#before[offset]!;
    const after = this.#after[offset]!;
    const early = before >= 0 && this.ends(before) === 0;
    const late = this.#single && after >= 0 && this.starts(after) > 0;
    if (early || late) Atomics.add(this.#words, 0, 1);
    Atomics.add(this.#words, 2 + offset, 1);
  }

  end(offset: number): void {
    if (Atomics.add(this.#words, 2 + this.#count + offset, 1) === 0) Atomics.add(this.#words, 1, 1);
  }
}
