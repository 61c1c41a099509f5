/** The memory of one kernel: its views, and its growth. */
import { CapacityError } from "../errors.ts";
import {
  BYTES_MARGIN,
  type Capacity,
  COLUMN_COUNT,
  COLUMNS_AT,
  ENTRY_WORDS,
  FREE_COUNT,
  FREE_LANES,
  HEADER_BYTES,
  KEYS_IN_FLIGHT,
  LANES_MADE,
  layoutOf,
  STRIDE,
  TABLE,
  TABLE_SHIFT,
} from "./layout.ts";

/** Most messages, or bins, of one call. */
const MAX_ROWS: number = 2 ** 22;
/** Most key groups in flight and in the batch together. */
const MAX_KEYS: number = 2 ** 22;

const FIRST_CAPACITY: Capacity = { rows: 256, entries: 512, bytes: 0 };
const PAGE_BYTES = 65536;

/**
 * Views over the kernel's own memory, or over a plain buffer when there is no kernel.
 *
 * Growing remakes every view: read them from this object after each `reserve`, never keep them
 * across one. The columns HASH and BIN and the table survive growth, the rest is scratch or output
 * of the last call.
 */
export class KernelMemory {
  header!: Uint32Array;
  hashes!: Uint32Array;
  bins!: Uint32Array;
  groups!: Uint32Array;
  lanes!: Uint32Array;
  starts!: Uint32Array;
  order!: Uint32Array;
  slots!: Uint32Array;
  sizes!: Uint32Array;
  counts!: Uint32Array;
  loads!: Uint32Array;
  /** Cells of the twin; the kernel keeps u64 cells in the same place. Scratch for both. */
  heap!: Float64Array;
  freeLanes!: Uint32Array;
  table!: Uint32Array;
  bytes!: Uint8Array;
  /** Where `bytes` begins in the memory. */
  bytesAt = 0;
  readonly #wasm: WebAssembly.Memory | null;
  #buffer: ArrayBuffer;
  #capacity: Capacity = FIRST_CAPACITY;

  constructor(wasm: WebAssembly.Memory | null) {
    this.#wasm = wasm;
    this.#buffer = wasm === null ? new ArrayBuffer(0) : wasm.buffer;
    this.#growBuffer(layoutOf(FIRST_CAPACITY).end);
    this.#makeViews();
  }

  get capacity(): Capacity {
    return this.#capacity;
  }

  get byteLength(): number {
    return this.#buffer.byteLength;
  }

  /** Makes room for a batch of so many messages or bins. */
  reserveRows(rowCount: number): void {
    if (rowCount <= this.#capacity.rows) return;
    if (rowCount > MAX_ROWS) {
      throw new CapacityError(
        `Cannot place a batch as it has at most ${MAX_ROWS} messages or bins: received ${rowCount}`,
      );
    }
    this.#grow({ ...this.#capacity, rows: powerOfTwo(rowCount) });
  }

  /** Makes room for so many key groups in the table. */
  reserveKeys(keyCount: number): void {
    if (keyCount * 2 <= this.#capacity.entries) return;
    if (keyCount > MAX_KEYS) {
      throw new CapacityError(
        `Cannot group a batch as at most ${MAX_KEYS} keys may be in flight: received ${keyCount}`,
      );
    }
    this.#grow({ ...this.#capacity, entries: powerOfTwo(keyCount * 2) });
  }

  /** Makes room for so many raw bytes. */
  reserveBytes(byteCount: number): void {
    if (byteCount <= this.#capacity.bytes) return;
    this.#grow({ ...this.#capacity, bytes: powerOfTwo(byteCount) });
  }

  /** Empties the table: no key is in flight any more. */
  clearKeys(): void {
    this.table.fill(0);
    this.header[KEYS_IN_FLIGHT] = 0;
    this.freeAllLanes();
  }

  /** No key is in flight: lane ids begin at 0 anew. */
  freeAllLanes(): void {
    this.header[LANES_MADE] = 0;
    this.header[FREE_COUNT] = 0;
  }

  /** Rare (every doubling): copies out what must survive, lays out anew, puts it back. */
  #grow(capacity: Capacity): void {
    const hashes = this.hashes.slice(0, this.#capacity.rows);
    const bins = this.bins.slice(0, this.#capacity.rows);
    const freeLanes = this.freeLanes.slice(0, this.header[FREE_COUNT]!);
    const keysInFlight = this.header[KEYS_IN_FLIGHT]!;
    const table = keysInFlight > 0 ? this.table.slice() : new Uint32Array(0);
    this.#growBuffer(layoutOf(capacity).end);
    this.#capacity = capacity;
    this.#makeViews();
    this.hashes.set(hashes);
    this.bins.set(bins);
    this.freeLanes.set(freeLanes);
    this.table.fill(0);
    new Uint8Array(this.#buffer, this.bytesAt - BYTES_MARGIN, BYTES_MARGIN).fill(0);
    for (let at = 0; at < table.length; at += ENTRY_WORDS) {
      if (table[at + 1] !== 0) this.#putBack(table, at);
    }
  }

  #putBack(from: Uint32Array, at: number): void {
    const table = this.table;
    const mask = table.length - 1;
    let slot = homeOf(from[at]!, this.header[TABLE_SHIFT]!);
    while (table[slot + 1] !== 0) slot = (slot + ENTRY_WORDS) & mask;
    table[slot] = from[at]!;
    table[slot + 1] = from[at + 1]!;
    table[slot + 2] = from[at + 2]!;
    table[slot + 3] = from[at + 3]!;
  }

  #growBuffer(byteLength: number): void {
    const missing = byteLength - this.#buffer.byteLength;
    if (missing <= 0) return;
    try {
      if (this.#wasm === null) {
        const old = new Uint8Array(this.#buffer);
        this.#buffer = new ArrayBuffer(byteLength);
        new Uint8Array(this.#buffer).set(old);
      } else {
        this.#wasm.grow(Math.ceil(missing / PAGE_BYTES));
        this.#buffer = this.#wasm.buffer;
      }
    } catch (cause) {
      throw new CapacityError(
        `Cannot grow the kernel's memory as the host has no more: received ${byteLength} bytes`,
        { cause },
      );
    }
  }

  #makeViews(): void {
    const { rows, entries, bytes } = this.#capacity;
    const layout = layoutOf(this.#capacity);
    const words = layout.stride / 4;
    const columns: Uint32Array[] = [];
    for (let i = 0; i < COLUMN_COUNT; i++) {
      columns.push(new Uint32Array(this.#buffer, COLUMNS_AT + i * layout.stride, words));
    }
    [this.hashes, this.bins, this.groups, this.lanes, this.starts] = columns as Columns;
    [this.order, this.slots, this.sizes, this.counts, this.loads] = columns.slice(5) as Columns;
    this.heap = new Float64Array(this.#buffer, COLUMNS_AT + 10 * layout.stride, rows);
    this.freeLanes = new Uint32Array(this.#buffer, layout.freeLanes, entries / 2);
    this.table = new Uint32Array(this.#buffer, layout.table, entries * ENTRY_WORDS);
    this.bytes = new Uint8Array(this.#buffer, layout.bytes, bytes);
    this.bytesAt = layout.bytes;
    this.header = new Uint32Array(this.#buffer, 0, HEADER_BYTES / 4);
    this.header[STRIDE] = layout.stride;
    this.header[TABLE] = layout.table;
    this.header[TABLE_SHIFT] = 32 - Math.log2(entries);
    this.header[FREE_LANES] = layout.freeLanes;
  }
}

type Columns = [Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array];

/**
 * Where the search for a hash begins, as a word index into the table. See `home` in
 * assembly/layout.ts.
 */
export function homeOf(hash: number, shift: number): number {
  return (Math.imul(hash, 0x9e3779b1) >>> shift) << 2;
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast));
}
