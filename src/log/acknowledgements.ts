import type { LogOptions } from "./log-options.ts";

/** Appends that are acknowledged together. */
interface Group {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

const AT_ONCE: Promise<void> = Promise.resolve();

function newGroup(): Group {
  let resolve!: Group["resolve"];
  let reject!: Group["reject"];
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // Whoever appends and does not wait hears of a failure at the next append.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** What the appends of one partition wait for: one promise for all that share a write. */
export class Acknowledgements {
  readonly #level: NonNullable<LogOptions["acknowledge"]>;
  /** Appended since the last write. */
  #buffered: Group | undefined;
  /** In the file, and waiting for a sync. */
  #written: Group[] = [];

  constructor(level: NonNullable<LogOptions["acknowledge"]>) {
    this.#level = level;
  }

  /** Something written waits for a sync. */
  get wantSync(): boolean {
    return this.#written.length > 0;
  }

  /** The promise of an append whose bytes are in the buffer. */
  next(): Promise<void> {
    if (this.#level === "buffered") return AT_ONCE;
    this.#buffered ??= newGroup();
    return this.#buffered.promise;
  }

  /** The promise of the newest append. */
  last(): Promise<void> {
    return this.#buffered?.promise ?? this.#written.at(-1)?.promise ?? AT_ONCE;
  }

  /** All that was buffered is in the file. */
  wrote(): void {
    const group = this.#buffered;
    this.#buffered = undefined;
    if (group === undefined) return;
    if (this.#level === "synced") this.#written.push(group);
    else group.resolve();
  }

  /** A sync begins that will cover all that is written. @returns Call it when that is done. */
  syncing(): () => void {
    const covered = [...this.#written];
    return () => {
      for (const group of covered) group.resolve();
      this.#written = this.#written.filter((group) => !covered.includes(group));
    };
  }

  /** Rejects all that waits. */
  fail(error: unknown): void {
    for (const group of this.#written) group.reject(error);
    this.#buffered?.reject(error);
    this.#written = [];
    this.#buffered = undefined;
  }
}
