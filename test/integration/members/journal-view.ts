import { closeSync, openSync, readSync } from "node:fs";
import type { JournalEntry } from "./journal.ts";

/** Follows a journal while members write it, and counts what tests wait for. */
export class JournalView {
  readonly entries: JournalEntry[] = [];
  /** Lines that a kill cut short. */
  torn = 0;
  readonly #file: number;
  readonly #chunk = new Uint8Array(64 * 1024);
  readonly #decoder = new TextDecoder();
  readonly #counts = new Map<string, number>();
  readonly #done = new Set<string>();
  readonly #committed = new Map<string, number>();
  #rest = "";

  constructor(path: string) {
    this.#file = openSync(path, "r");
  }

  /** Messages that were handled to the end, or dead-lettered, at least once. */
  get done(): number {
    return this.#done.size;
  }

  /** Sum of the highest committed offsets: that of the log ends, once the group has nothing to do. */
  get committed(): number {
    return [...this.#committed.values()].reduce((sum, offset) => sum + offset, 0);
  }

  /** Entries of a kind: of one member, or of all. */
  count(kind: JournalEntry["kind"], member: string = ""): number {
    return this.#counts.get(`${kind} ${member}`) ?? 0;
  }

  /** Takes in what was written since the last call. */
  read(): void {
    for (;;) {
      const length = readSync(this.#file, this.#chunk, 0, this.#chunk.length, null);
      if (length === 0) return;
      const bytes = this.#chunk.subarray(0, length);
      const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") this.#take(line);
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #take(line: string): void {
    let entry: JournalEntry;
    try {
      entry = JSON.parse(line) as JournalEntry;
    } catch {
      // Only a kill can do this; the message shows up as not handled if that was wrong.
      this.torn++;
      return;
    }
    this.entries.push(entry);
    for (const member of ["", entry.member]) {
      this.#counts.set(`${entry.kind} ${member}`, this.count(entry.kind, member) + 1);
    }
    if (entry.kind === "committed") {
      const name = `${entry.topic}#${entry.partition}`;
      this.#committed.set(name, Math.max(entry.offset, this.#committed.get(name) ?? 0));
    }
    if (entry.kind === "end" || entry.kind === "deadLettered") {
      this.#done.add(`${entry.topic}#${entry.partition}@${entry.offset}`);
    }
  }
}
