import { closeSync, openSync, writeSync } from "node:fs";

interface OfPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What a handler call did with one message. `fail`: it threw. */
export interface HandlerEntry extends OfPartition {
  readonly kind: "start" | "end" | "fail";
  /** null: the message has no key. */
  readonly key: string | null;
}

/** What a consumer's events, or the test beside the members, say. */
export type OtherEntry =
  | (OfPartition & { readonly kind: "assigned" | "revoked" | "lost" | "deadLettered" })
  | (OfPartition & { readonly kind: "committed"; readonly mapSize: number })
  /** Read from the broker by the test: what a member that starts now will be given. */
  | (OfPartition & {
      readonly kind: "stored";
      readonly metadata: string;
      readonly logEnd: number;
    })
  | {
      readonly kind: "closed";
      readonly drained: number;
      readonly abandoned: number;
      readonly uncommitted: number;
    }
  | { readonly kind: "error"; readonly message: string; readonly fatal: boolean }
  /** The process has ended, whatever the way: nothing of it runs any more. */
  | { readonly kind: "exited"; readonly of: string }
  | { readonly kind: "note"; readonly text: string };

/** One line of a journal, with who wrote it and when (milliseconds since the epoch). */
export type JournalEntry = (HandlerEntry | OtherEntry) & {
  readonly member: string;
  readonly atMs: number;
};

/**
 * Writes what happens into a file that all members of a test share.
 *
 * Each entry is one synchronous write to a descriptor opened for appending: a `kill -9` takes back
 * nothing, and the order of the lines is the order in which things happened, over all processes,
 * without comparing clocks. A write that the kill cuts short is no entry: what it was about to say
 * had no effect yet. It begins with a line feed, so that what follows a torn line can be read.
 */
export class Journal {
  readonly #file: number;
  readonly #member: string;

  constructor(path: string, member: string) {
    this.#file = openSync(path, "a");
    this.#member = member;
  }

  write(entry: HandlerEntry | OtherEntry): void {
    const atMs = Math.round((performance.timeOrigin + performance.now()) * 100) / 100;
    writeSync(this.#file, `\n${JSON.stringify({ ...entry, member: this.#member, atMs })}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}
