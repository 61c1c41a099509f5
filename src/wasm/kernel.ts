/**
 * The kernel of one lease: turns key hashes of a batch into groups, and remembers the keys in
 * flight.
 */
import { CapacityError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import { murmur2Range, murmur3Range, NULL_KEY_HASH, xxh32Range } from "./hash.ts";
import { KEYS_IN_FLIGHT, NULL_KEY_START, REFUSED } from "./layout.ts";
import { KernelMemory } from "./memory.ts";
import { instantiateKernel, type KernelExports } from "./module.ts";
import * as twin from "./twin.ts";

export { NULL_KEY_HASH, PARTITION_KEY_SEED } from "./hash.ts";
export { init } from "./module.ts";

/** Below this many messages the call into the kernel costs more than it saves (H6). */
export const TWIN_BELOW = 16;
/** Most bins of one placement: a bin is 16 bits of a heap cell. */
export const MAX_BINS = 65536;

/** A table of so many entries per finished message is cheaper to clear than to take them out of, one by one. */
const CLEAR_ENTRIES_PER_MESSAGE = 8;

// Where copying the span of raw keys into the kernel and hashing there beats hashing in place, as
// measured on Node, Bun and Deno: 1.2 to 1.8 times as fast within these limits, slower once the
// copy of the values between the keys weighs more.
const SPAN_MIN_MESSAGES = 64;
const SPAN_MAX_BYTES_PER_MESSAGE = 300;
const SPAN_MAX_BYTES = 2 ** 23;

/**
 * Groups of a batch in CSR form: group g lies on lane `lanes[g]` and has the messages
 * `order[starts[g]] .. order[starts[g + 1] - 1]`, which are indexes into the batch and ascend.
 *
 * The arrays are the kernel's own and longer than the result: read `groupCount` lanes, `groupCount
 * + 1` starts and as many indexes as there are messages. They are valid until the next call of the
 * kernel.
 */
export interface Placement {
  readonly groupCount: number;
  readonly lanes: Uint32Array;
  readonly starts: Uint32Array;
  readonly order: Uint32Array;
}

/** Hash functions for raw keys. murmur2 ignores the seed: it has Kafka's own. */
export type RawHash = "murmur3" | "murmur2" | "xxh32";

interface MutablePlacement {
  groupCount: number;
  lanes: Uint32Array;
  starts: Uint32Array;
  order: Uint32Array;
}

/**
 * One instance per lease, with a memory of its own that grows to the largest batch and the most
 * keys in flight.
 *
 * A kernel serves one kind of placement: `reduce` and `place` keep nothing, `group` and `pack` keep
 * the keys in flight, and they exclude each other while any key is in flight. Not for sharing
 * between threads.
 *
 * @example
 * const kernel = new Kernel();
 * const hashes = kernel.hashColumn(2);
 * hashes[0] = murmur3Text("a", PARTITION_KEY_SEED);
 * hashes[1] = murmur3Text("b", PARTITION_KEY_SEED);
 * const { groupCount, lanes, starts, order } = kernel.reduce(2, 8);
 */
export class Kernel {
  readonly #wasm: KernelExports | null;
  readonly #memory: KernelMemory;
  readonly #twinBelow: number;
  readonly #placement: MutablePlacement;
  #keeper: "group" | "pack" = "group";
  #packedBins = 0;
  /** Messages whose keys are in the table. */
  #messagesInFlight = 0;

  /**
   * @param engine `auto`: the kernel, and the twin for small batches and where there is no
   *   WebAssembly; `twin`: never the kernel; `wasm`: the kernel for every batch, else an error (for
   *   tests and benches).
   */
  constructor(engine: "auto" | "twin" | "wasm" = "auto") {
    this.#wasm = engine === "twin" ? null : instantiateKernel();
    if (engine === "wasm") invariant(this.#wasm !== null, "the kernel is there when asked for");
    this.#twinBelow =
      this.#wasm === null ? Number.POSITIVE_INFINITY : engine === "wasm" ? 0 : TWIN_BELOW;
    this.#memory = new KernelMemory(this.#wasm === null ? null : this.#wasm.memory);
    const { lanes, starts, order } = this.#memory;
    this.#placement = { groupCount: 0, lanes, starts, order };
  }

  /** What does the work of batches that are not small. */
  get engine(): "wasm" | "twin" {
    return this.#wasm === null ? "twin" : "wasm";
  }

  /** Key groups in the table: those whose messages have not all been named as finished. */
  get keysInFlight(): number {
    return this.#memory.header[KEYS_IN_FLIGHT]!;
  }

  /** Bytes of the kernel's memory. */
  get byteLength(): number {
    return this.#memory.byteLength;
  }

  /**
   * Makes room for a batch and returns the column to fill with one key hash per message.
   *
   * @returns At least `messageCount` long; valid until the next call that makes room.
   * @throws {CapacityError} Above 2^22 messages.
   */
  hashColumn(messageCount: number): Uint32Array {
    this.#memory.reserveRows(messageCount);
    return this.#memory.hashes;
  }

  /** As {@link hashColumn}, for bins that the caller chooses: the input of {@link place}. */
  binColumn(messageCount: number): Uint32Array {
    this.#memory.reserveRows(messageCount);
    return this.#memory.bins;
  }

  /**
   * Fills the hash column from keys that lie in one buffer.
   *
   * @param starts First byte of each key; 0xffffffff: no key, whose hash is NULL_KEY_HASH.
   * @param ends One past the last byte of each key.
   */
  hashRaw(
    bytes: Uint8Array,
    starts: Uint32Array,
    ends: Uint32Array,
    messageCount: number,
    seed: number,
    algorithm: RawHash = "murmur3",
  ): void {
    this.#memory.reserveRows(messageCount);
    if (this.#hashSpan(bytes, starts, ends, messageCount, seed, algorithm)) return;
    const hashes = this.#memory.hashes;
    const hashRange =
      algorithm === "murmur3" ? murmur3Range : algorithm === "murmur2" ? murmur2Range : xxh32Range;
    for (let i = 0; i < messageCount; i++) {
      const start = starts[i]!;
      hashes[i] =
        start === NULL_KEY_START ? NULL_KEY_HASH : hashRange(bytes, start, ends[i]!, seed);
    }
  }

  /**
   * Copies the span of all keys into the kernel and hashes there. Returns false where that does
   * not pay.
   */
  #hashSpan(
    bytes: Uint8Array,
    starts: Uint32Array,
    ends: Uint32Array,
    messageCount: number,
    seed: number,
    algorithm: RawHash,
  ): boolean {
    if (messageCount < Math.max(this.#twinBelow, SPAN_MIN_MESSAGES)) return false;
    if (this.#wasm === null) return false;
    const { slots, sizes } = this.#memory;
    let low = bytes.length;
    let high = 0;
    for (let i = 0; i < messageCount; i++) {
      const start = starts[i]!;
      const end = ends[i]!;
      slots[i] = start;
      sizes[i] = end;
      if (start === NULL_KEY_START) continue;
      invariant(start <= end && end <= bytes.length, "a raw key lies inside its buffer");
      if (start < low) low = start;
      if (end > high) high = end;
    }
    const span = Math.max(high - low, 0);
    if (span > Math.min(messageCount * SPAN_MAX_BYTES_PER_MESSAGE, SPAN_MAX_BYTES)) return false;
    if (span > this.#memory.capacity.bytes) {
      // Growing drops the two columns: they are filled again in the larger memory.
      this.#memory.reserveBytes(span);
      this.#memory.slots.set(starts.subarray(0, messageCount));
      this.#memory.sizes.set(ends.subarray(0, messageCount));
    }
    this.#memory.bytes.set(bytes.subarray(low, low + span));
    this.#wasm[algorithm](messageCount, this.#memory.bytesAt - low, seed);
    return true;
  }

  /**
   * Stable counting sort of the bin column: groups are the non-empty bins, ascending; lanes are
   * bins.
   *
   * @throws {InvariantError} When a bin is not below `binCount`.
   */
  place(messageCount: number, binCount: number): Placement {
    this.#reserveBins(messageCount, binCount);
    return this.#placed(
      messageCount < this.#twinBelow
        ? twin.place(this.#memory, messageCount, binCount)
        : this.#wasm!.place(messageCount, binCount),
    );
  }

  /** As {@link place}, with bin = floor(hash * binCount / 2^32). */
  reduce(messageCount: number, binCount: number): Placement {
    this.#reserveBins(messageCount, binCount);
    return this.#placed(
      messageCount < this.#twinBelow
        ? twin.reduce(this.#memory, messageCount, binCount)
        : this.#wasm!.reduce(messageCount, binCount),
    );
  }

  /**
   * Per-key placement: groups are the key groups of the batch in order of their first message.
   * Lanes are small ids, kept while a key is in flight and then given to another key; never more of
   * them than there were keys in flight at once. They begin at 0 anew when nothing is in flight.
   *
   * @param finished Key hash of each message that finished since the last call; may be longer than
   *   the batch.
   * @throws {InvariantError} When a finished key is not in flight.
   */
  group(messageCount: number, finished: Uint32Array, finishedCount: number): Placement {
    this.#keep("group");
    this.#memory.reserveRows(messageCount);
    this.#finish(finished, finishedCount);
    this.#memory.reserveKeys(this.keysInFlight + messageCount);
    this.#messagesInFlight += messageCount;
    return this.#placed(
      messageCount < this.#twinBelow
        ? twin.group(this.#memory, messageCount)
        : this.#wasm!.group(messageCount),
    );
  }

  /**
   * Balanced placement: key groups by size, largest first (ties: first offset), each to the bin
   * with the least load (ties: lowest bin). A key in flight stays on its bin and adds to its load
   * first. Result as of {@link place}.
   *
   * @param loads Messages in flight or queued per bin, below 2^31. Large values keep new keys away.
   *   Not changed.
   * @param finished Key hash of each message that finished since the last call; may be longer than
   *   the batch.
   * @throws {InvariantError} When a finished key is not in flight, or when bins become fewer while
   *   keys are in flight.
   */
  pack(
    messageCount: number,
    binCount: number,
    loads: Uint32Array,
    finished: Uint32Array,
    finishedCount: number,
  ): Placement {
    this.#keep("pack");
    this.#reserveBins(messageCount, binCount);
    this.#finish(finished, finishedCount);
    this.#memory.reserveKeys(this.keysInFlight + messageCount);
    invariant(
      binCount >= this.#packedBins || this.keysInFlight === 0,
      "bins do not become fewer while keys are in flight",
    );
    this.#packedBins = binCount;
    this.#messagesInFlight += messageCount;
    const column = this.#memory.loads;
    for (let bin = 0; bin < binCount; bin++) column[bin] = loads[bin]!;
    return this.#placed(
      messageCount < this.#twinBelow
        ? twin.pack(this.#memory, messageCount, binCount)
        : this.#wasm!.pack(messageCount, binCount),
    );
  }

  #reserveBins(messageCount: number, binCount: number): void {
    if (binCount < 1 || binCount > MAX_BINS) {
      throw new CapacityError(
        `Cannot place a batch as there are 1 to ${MAX_BINS} bins: received ${binCount}`,
      );
    }
    this.#memory.reserveRows(Math.max(messageCount, binCount));
  }

  /** Lane ids of `group` are not bins of `pack`: a change of kind needs an empty table. */
  #keep(keeper: "group" | "pack"): void {
    if (this.#keeper === keeper) return;
    invariant(this.keysInFlight === 0, "no key is in flight when the kind of placement changes");
    this.#keeper = keeper;
    this.#memory.clearKeys();
  }

  /**
   * Finished messages travel to the kernel through the order column, as many at a time as it
   * holds.
   */
  #finish(finished: Uint32Array, finishedCount: number): void {
    const { entries } = this.#memory.capacity;
    const all = finishedCount === this.#messagesInFlight;
    this.#messagesInFlight -= finishedCount;
    if (all && entries <= finishedCount * CLEAR_ENTRIES_PER_MESSAGE) {
      this.#memory.clearKeys();
      return;
    }
    const recycle = this.#keeper === "group";
    let unknown = 0;
    if (finishedCount < this.#twinBelow) {
      unknown = twin.finish(this.#memory, finished, 0, finishedCount, recycle);
    } else {
      const column = this.#memory.order;
      for (let start = 0; start < finishedCount; start += column.length) {
        const count = Math.min(column.length, finishedCount - start);
        column.set(finished.subarray(start, start + count));
        unknown += this.#wasm!.finish(count, recycle ? 1 : 0);
      }
    }
    invariant(unknown === 0, "every finished key is in flight");
    if (all) this.#memory.freeAllLanes();
  }

  #placed(groupCount: number): Placement {
    invariant(groupCount >>> 0 !== REFUSED, "every message has a bin below the number of bins");
    const placement = this.#placement;
    const memory = this.#memory;
    placement.groupCount = groupCount;
    placement.lanes = memory.lanes;
    placement.starts = memory.starts;
    placement.order = memory.order;
    return placement;
  }
}
