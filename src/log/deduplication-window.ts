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

const FIRST_CAPACITY = 64;
const ID_BYTES = 16;
const NO_ID: string = "\0".repeat(ID_BYTES);

/**
 * The ids that one partition has stored lately, oldest first.
 *
 * Time is the append time, which never decreases: an id stored at t is known up to t + ttlMs − 1
 * and new at t + ttlMs. The oldest goes when there are more than `maxEntries`.
 *
 * Entries are numbered as they come, and lie in a ring at their number modulo its capacity: a `Map`
 * alone finds its oldest key only behind all that were deleted before.
 */
export class DeduplicationWindow {
  readonly #maxEntries: number;
  readonly #ttlUs: number;
  /** Number of the entry, by id. */
  readonly #numbers = new Map<string, number>();
  #ids: string[] = new Array(FIRST_CAPACITY);
  #offsets: Float64Array = new Float64Array(FIRST_CAPACITY);
  #timesUs: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** Numbers of the oldest entry, and of the next one to come. */
  #oldest = 0;
  #next = 0;

  constructor({ maxEntries, ttlMs }: DeduplicationLimits) {
    this.#maxEntries = maxEntries;
    this.#ttlUs = ttlMs * 1000;
  }

  get size(): number {
    return this.#numbers.size;
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
      const known = id === null ? undefined : (ids.get(id) ?? this.#offsetOf(id));
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
    for (const [id, offset] of ids) this.#add(id, offset, timeUs);
  }

  /**
   * Notes an id found in the log; call in offset order. An id that is there twice counts from the
   * first one, as an append would have answered, and from the second when the first had expired.
   *
   * @param id As `idText()` gives it.
   */
  restore(id: string, offset: number, timeUs: number): void {
    const known = this.#numbers.get(id);
    const ageUs = known === undefined ? this.#ttlUs : timeUs - this.#timesUs[this.#slot(known)]!;
    if (ageUs >= this.#ttlUs) this.#add(id, offset, timeUs);
  }

  #offsetOf(id: string): number | undefined {
    const number = this.#numbers.get(id);
    return number === undefined ? undefined : this.#offsets[this.#slot(number)];
  }

  #add(id: string, offset: number, timeUs: number): void {
    if (this.#next - this.#oldest === this.#ids.length) this.#grow();
    const slot = this.#slot(this.#next);
    this.#ids[slot] = id;
    this.#offsets[slot] = offset;
    this.#timesUs[slot] = timeUs;
    // An older entry of the id, if there is one, is dead from now on.
    this.#numbers.set(id, this.#next++);
    while (this.#numbers.size > this.#maxEntries) this.#forgetOldest();
  }

  #expire(timeUs: number): void {
    while (this.#oldest < this.#next) {
      if (timeUs - this.#timesUs[this.#slot(this.#oldest)]! < this.#ttlUs) return;
      this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    const id = this.#ids[this.#slot(this.#oldest)]!;
    if (this.#numbers.get(id) === this.#oldest) this.#numbers.delete(id);
    this.#oldest++;
  }

  #slot(number: number): number {
    return number % this.#ids.length;
  }

  #grow(): void {
    const { length } = this.#ids;
    const [ids, offsets, timesUs] = [this.#ids, this.#offsets, this.#timesUs];
    this.#ids = new Array(length * 2);
    this.#offsets = new Float64Array(length * 2);
    this.#timesUs = new Float64Array(length * 2);
    for (let number = this.#oldest; number < this.#next; number++) {
      const to = this.#slot(number);
      this.#ids[to] = ids[number % length]!;
      this.#offsets[to] = offsets[number % length]!;
      this.#timesUs[to] = timesUs[number % length]!;
    }
  }
}

/**
 * An id as a key of the map, one character for each byte; null for none. Sixteen zeros are how the log
 * writes "none"; what has not 16 bytes is no id, and is refused when it is encoded.
 */
export function idText(id: Uint8Array | null): string | null {
  if (id === null || id.length !== ID_BYTES) return null;
  // Spelled out: five times as fast as anything that loops or makes a view.
  // biome-ignore format: sixteen lines would say no more
  const text = String.fromCharCode(
    id[0]!, id[1]!, id[2]!, id[3]!, id[4]!, id[5]!, id[6]!, id[7]!,
    id[8]!, id[9]!, id[10]!, id[11]!, id[12]!, id[13]!, id[14]!, id[15]!,
  );
  return text === NO_ID ? null : text;
}
