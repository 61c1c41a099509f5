/**
 * The kernel's memory map, as JavaScript sees it: the mirror of assembly/layout.ts, where it is
 * drawn.
 *
 * Header fields are word indexes here and byte addresses there.
 */

/** Must equal what the kernel's `abiVersion()` returns. */
export const ABI_VERSION = 2;

/** What a kernel function returns when its input breaks the contract. */
export const REFUSED = 0xffffffff;
/** Lane of a key group that has no bin yet. */
export const UNPLACED = 0xffffffff;
/** Key start that says: no key. */
export const NULL_KEY_START = 0xffffffff;

// Header words that JavaScript writes when it lays out the memory.
export const STRIDE = 0;
export const TABLE = 1;
export const TABLE_SHIFT = 2;
export const FREE_LANES = 3;
// Header words that the kernel and its twin write in turn.
export const KEYS_IN_FLIGHT = 4;
export const LANES_MADE = 5;
export const FREE_COUNT = 6;

/** Bytes of the header; the tables of checksums follow. */
export const HEADER_BYTES = 64;
/** Where the columns begin: behind 16 tables of 256 words. */
export const COLUMNS_AT: number = HEADER_BYTES + 16 * 1024;
/** HASH .. LOAD, and two columns for the heap. */
export const COLUMN_COUNT = 12;
/**
 * Words after each column: room for the one cell more that START and COUNT need, and no cache
 * aliasing.
 */
const COLUMN_SLACK = 16;

/** Words of one table entry: hash, count (0: empty), lane, key group in the current batch. */
export const ENTRY_WORDS = 4;

/** Zero bytes before the raw bytes: see crc32c in assembly/. */
export const BYTES_MARGIN = 1728;
/** Bytes after the raw bytes, for the masked read of the last word. */
const BYTES_SLACK = 16;

/** What the memory has room for. */
export interface Capacity {
  /** Messages or bins: a power of two, at least 16. */
  readonly rows: number;
  /** Table entries: a power of two, at least 32; at most half of them are used. */
  readonly entries: number;
  /** Raw bytes. */
  readonly bytes: number;
}

/** Where the regions of a capacity lie, in bytes. */
export interface Layout {
  readonly stride: number;
  readonly freeLanes: number;
  readonly table: number;
  readonly bytes: number;
  readonly end: number;
}

/** Lays out the regions one after the other. O(1). */
export function layoutOf(capacity: Capacity): Layout {
  const stride = (capacity.rows + COLUMN_SLACK) * 4;
  const freeLanes = COLUMNS_AT + COLUMN_COUNT * stride;
  const table = freeLanes + capacity.entries * 2;
  const bytes = table + capacity.entries * ENTRY_WORDS * 4 + BYTES_MARGIN;
  return { stride, freeLanes, table, bytes, end: bytes + capacity.bytes + BYTES_SLACK };
}
