/**
 * Judges a journal of several members, restarts included.
 *
 * *Done*: a handler ended well, or the message was dead-lettered. *Running*: started, not ended, and
 * its process lives. For messages of one key of one partition, in the order of their offsets, these
 * are breaks of the order:
 *
 * - overtaken: a message starts before every earlier one has been done once;
 * - overlapped: a message starts while a message of the key runs, itself included;
 * - descending: within one lease, a message starts that is not after the last one started, unless
 *   it is that one and it failed;
 * - rewound: at the end of the journal, the last start of a message lies after the last start of a
 *   later one, so that its effect overwrote the later one's.
 *
 * To handle a tail of a key again after a crash, from some message on and in order, is at-least-once
 * at work: repeats, no break.
 */
import { completedOf } from "./completed-of.ts";
import type { HandlerEntry, JournalEntry } from "./journal.ts";

/** Lists are cut here: whoever reads a failure needs some, not thousands. */
const MAX_LISTED = 20;

/** What a journal shows. The lists are empty when all is well. */
export interface JournalReport {
  /** Handler calls that ended well. */
  readonly handled: number;
  /** Messages of the log that were never done. */
  readonly lost: readonly string[];
  readonly orderBreaks: readonly string[];
  /** Handler starts of messages that were done before. */
  readonly repeats: number;
  readonly repeatsOf: ReadonlyMap<string, number>;
  /** Handler starts of messages that a commit, stored before, had said were done. */
  readonly storedRepeats: readonly string[];
  /** Commits that said of a message that it is done before it was. */
  readonly earlyCommits: readonly string[];
}

type ListName = "lost" | "orderBreaks" | "storedRepeats" | "earlyCommits";

/** One message key of one partition. */
interface KeyState {
  /** Ascending. */
  readonly offsets: number[];
  readonly lastStarts: Map<number, number>;
  /** Index of the first offset that is not done. */
  firstOpen: number;
  /** Handler calls that run: member by offset and member. */
  readonly running: Map<string, string>;
  last: { readonly lease: string; readonly offset: number; failed: boolean } | null;
}

interface PartitionState {
  readonly keys: Map<string | null, KeyState>;
  readonly keyOf: Map<number, KeyState>;
  readonly done: Set<number>;
  firstOpen: number;
  /** Everything below is stored as done. */
  storedBelow: number;
  storedAbove: (offset: number) => boolean;
}

class JournalCheck {
  readonly #entries: readonly JournalEntry[];
  readonly #partitions = new Map<string, PartitionState>();
  /** Number of the lease by member and partition. */
  readonly #leases = new Map<string, number>();
  readonly #repeatsOf = new Map<string, number>();
  readonly #lists: Record<ListName, string[]> = {
    lost: [],
    orderBreaks: [],
    storedRepeats: [],
    earlyCommits: [],
  };
  #handled = 0;
  #repeats = 0;

  constructor(entries: readonly JournalEntry[]) {
    this.#entries = entries;
    this.#learnKeys();
  }

  run(logEnds: ReadonlyMap<string, number>): JournalReport {
    for (const [line, entry] of this.#entries.entries()) this.#take(entry, line);
    for (const [name, logEnd] of logEnds) this.#findLost(name, logEnd);
    for (const [name, partition] of this.#partitions) this.#findRewound(name, partition);
    const [handled, repeats, repeatsOf] = [this.#handled, this.#repeats, this.#repeatsOf];
    return { handled, repeats, repeatsOf, ...this.#lists };
  }

  /** Keys are known before the first entry is judged: an early message may start late. */
  #learnKeys(): void {
    for (const entry of this.#entries) {
      if (entry.kind !== "start") continue;
      const { keys, keyOf } = this.#partition(nameOf(entry));
      let key = keys.get(entry.key);
      if (key === undefined) {
        key = { offsets: [], lastStarts: new Map(), firstOpen: 0, running: new Map(), last: null };
        keys.set(entry.key, key);
      }
      if (!keyOf.has(entry.offset)) key.offsets.push(entry.offset);
      keyOf.set(entry.offset, key);
    }
    for (const { keys } of this.#partitions.values()) {
      for (const { offsets } of keys.values()) offsets.sort((a, b) => a - b);
    }
  }

  #partition(name: string): PartitionState {
    let found = this.#partitions.get(name);
    if (found === undefined) {
      const nothing = { firstOpen: 0, storedBelow: 0, storedAbove: () => false };
      found = { keys: new Map(), keyOf: new Map(), done: new Set(), ...nothing };
      this.#partitions.set(name, found);
    }
    return found;
  }

  #take(entry: JournalEntry, line: number): void {
    if (entry.kind === "exited") this.#exited(entry.of);
    if (!("partition" in entry)) return;
    const name = nameOf(entry);
    const partition = this.#partition(name);
    if (entry.kind === "start") this.#started(entry, partition, line);
    else if (entry.kind === "end" || entry.kind === "fail") this.#settled(entry, partition);
    else if (entry.kind === "deadLettered") markDone(partition, entry.offset);
    else if (entry.kind === "assigned") {
      const lease = `${entry.member} ${name}`;
      this.#leases.set(lease, (this.#leases.get(lease) ?? 0) + 1);
    } else if (entry.kind === "committed") this.#stored(partition, entry, () => false, 0);
    else if (entry.kind === "stored") {
      const completed = completedOf(entry.metadata, entry.offset, entry.logEnd);
      this.#stored(partition, entry, completed, entry.logEnd);
    }
  }

  #started(
    entry: HandlerEntry & { readonly member: string },
    partition: PartitionState,
    line: number,
  ): void {
    const { member, offset } = entry;
    const name = nameOf(entry);
    const message = `${name}@${offset} by ${member}`;
    const key = partition.keyOf.get(offset)!;
    const lease = `${member} ${name} ${this.#leases.get(`${member} ${name}`) ?? 0}`;
    if (partition.done.has(offset)) {
      this.#repeats++;
      this.#repeatsOf.set(member, (this.#repeatsOf.get(member) ?? 0) + 1);
    }
    if (offset < partition.storedBelow || partition.storedAbove(offset)) {
      this.#add("storedRepeats", message);
    }
    const open = key.offsets[key.firstOpen];
    if (open !== undefined && offset > open) {
      this.#add("orderBreaks", `overtaken: ${message} before ${open}`);
    }
    for (const [runs, by] of key.running) {
      this.#add("orderBreaks", `overlapped: ${message} beside ${runs} by ${by}`);
    }
    const { last } = key;
    if (last !== null && last.lease === lease && offset <= last.offset) {
      const retry = offset === last.offset && last.failed;
      if (!retry) this.#add("orderBreaks", `descending: ${message} after ${last.offset}`);
    }
    key.last = { lease, offset, failed: false };
    key.running.set(`${offset} ${member}`, member);
    key.lastStarts.set(offset, line);
  }

  #settled(
    { kind, member, offset }: HandlerEntry & { readonly member: string },
    partition: PartitionState,
  ): void {
    const key = partition.keyOf.get(offset)!;
    key.running.delete(`${offset} ${member}`);
    if (key.last?.offset === offset) key.last.failed = kind === "fail";
    if (kind === "fail") return;
    this.#handled++;
    markDone(partition, offset);
  }

  #exited(member: string): void {
    for (const { keys } of this.#partitions.values()) {
      for (const { running } of keys.values()) {
        for (const [name, by] of running) if (by === member) running.delete(name);
      }
    }
  }

  #stored(
    partition: PartitionState,
    entry: { topic: string; partition: number; offset: number; member: string },
    completed: (offset: number) => boolean,
    logEnd: number,
  ): void {
    const { offset } = entry;
    const what = `${nameOf(entry)} at ${offset} by ${entry.member}`;
    while (partition.done.has(partition.firstOpen)) partition.firstOpen++;
    if (offset > partition.firstOpen) {
      this.#add("earlyCommits", `${what}, ${partition.firstOpen} not done`);
    }
    for (let above = offset; above < logEnd; above++) {
      if (!completed(above) || partition.done.has(above)) continue;
      this.#add("earlyCommits", `${what}, in its map ${above} not done`);
    }
    partition.storedBelow = Math.max(partition.storedBelow, offset);
    if (logEnd > 0) partition.storedAbove = completed;
  }

  #findLost(name: string, logEnd: number): void {
    const { done } = this.#partition(name);
    for (let offset = 0; offset < logEnd; offset++) {
      if (!done.has(offset)) this.#add("lost", `${name}@${offset}`);
    }
  }

  #findRewound(name: string, { keys }: PartitionState): void {
    for (const { offsets, lastStarts } of keys.values()) {
      for (const [index, offset] of offsets.entries()) {
        const later = offsets[index + 1];
        if (later === undefined || lastStarts.get(offset)! < lastStarts.get(later)!) continue;
        this.#add("orderBreaks", `rewound: ${name}@${offset} last started after ${later}`);
      }
    }
  }

  #add(list: ListName, line: string): void {
    if (this.#lists[list].length < MAX_LISTED) this.#lists[list].push(line);
  }
}

function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}#${partition}`;
}

function markDone(partition: PartitionState, offset: number): void {
  partition.done.add(offset);
  const key = partition.keyOf.get(offset);
  if (key === undefined) return;
  while (partition.done.has(key.offsets[key.firstOpen] ?? -1)) key.firstOpen++;
}

/**
 * Reads a whole journal.
 *
 * @param entries All entries, in the order of the file.
 * @param logEnds End of the log by `topic#partition`; every offset from 0 on is expected.
 */
export function checkJournal(
  entries: readonly JournalEntry[],
  logEnds: ReadonlyMap<string, number>,
): JournalReport {
  return new JournalCheck(entries).run(logEnds);
}
