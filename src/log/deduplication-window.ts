import { Buffer } from "node:buffer";
import type { SinkRecord } from "../source/source.ts";

/** How long, and of how many records, a partition remembers ids. */
export interface DeduplicationLimits {
  readonly maxEntries: number;
  readonly ttlMs: number;
}

/** Where one record of an append is stored. */
export interface RecordOutcome {
  /** Of a duplicate: where its id was stored first. That record may be gone by now. */
  readonly offset: number;
  readonly duplicate: boolean;
}

/** What is to be done with the records of one append. */
export interface Selection {
  /** The records to write, in order; they get offsets from `baseOffset` on. */
  readonly fresh: readonly SinkRecord[];
  /** One for each record of the append, or undefined when all of them are fresh. */
  readonly outcomes: readonly RecordOutcome[] | undefined;
  /** For `remember()`: ids of fresh records with their offsets, in order. */
  readonly ids: ReadonlyMap<string, number>;
}

interface Seen {
  readonly offset: number;
  readonly timeUs: number;
}

/**
 * The ids that one partition has stored lately, oldest first.
 *
 * Time is the append time, which never decreases: an id stored at t is known up to t + ttlMs − 1
 * and new at t + ttlMs. The oldest goes when there are more than `maxEntries`.
 */
export class DeduplicationWindow {
  readonly #maxEntries: number;
  readonly #ttlUs: number;
  /** In order of insertion, so of time. */
  readonly #seen = new Map<string, Seen>();

  constructor({ maxEntries, ttlMs }: DeduplicationLimits) {
    this.#maxEntries = maxEntries;
    this.#ttlUs = ttlMs * 1000;
  }

  get size(): number {
    return this.#seen.size;
  }

  /**
   * Decides which records are new. Changes nothing but that ids too old to matter are forgotten.
   *
   * A record whose id stands in the window, or earlier in the same append, is a duplicate; a record
   * without an id never is.
   *
   * @param baseOffset Offset of the first record that will be written.
   * @param timeUs Append time of the batch.
   */
  select(records: readonly SinkRecord[], baseOffset: number, timeUs: number): Selection {
    this.#expire(timeUs);
    const ids = new Map<string, number>();
    const fresh: SinkRecord[] = [];
    const outcomes = records.map((record): RecordOutcome => {
      const id = idText(record.id);
      const known = id === null ? undefined : (ids.get(id) ?? this.#seen.get(id)?.offset);
      if (known !== undefined) return { offset: known, duplicate: true };
      const offset = baseOffset + fresh.length;
      fresh.push(record);
      if (id !== null) ids.set(id, offset);
      return { offset, duplicate: false };
    });
    const all = fresh.length === records.length;
    return { fresh: all ? records : fresh, outcomes: all ? undefined : outcomes, ids };
  }

  /** Notes the ids of a selection once its records have their offsets. */
  remember({ ids }: Selection, timeUs: number): void {
    for (const [id, offset] of ids) this.#add(id, { offset, timeUs });
  }

  /**
   * Notes an id found in the log; call in offset order. An id that is there twice counts from the
   * first one, as an append would have answered, and from the second when the first had expired.
   *
   * @param id As `idText()` gives it.
   */
  restore(id: string, offset: number, timeUs: number): void {
    const known = this.#seen.get(id);
    if (known !== undefined && timeUs - known.timeUs < this.#ttlUs) return;
    this.#seen.delete(id);
    this.#add(id, { offset, timeUs });
  }

  #add(id: string, seen: Seen): void {
    this.#seen.set(id, seen);
    if (this.#seen.size <= this.#maxEntries) return;
    for (const oldest of this.#seen.keys()) {
      this.#seen.delete(oldest);
      return;
    }
  }

  #expire(timeUs: number): void {
    for (const [id, seen] of this.#seen) {
      if (timeUs - seen.timeUs < this.#ttlUs) return;
      this.#seen.delete(id);
    }
  }
}

/** An id as a key of the map; null for none. Sixteen zeros are how the log writes "none". */
export function idText(id: Uint8Array | null): string | null {
  if (id === null || id.every((byte) => byte === 0)) return null;
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString("latin1");
}
