/** What groups have committed to a memory source, and what their next requests shall be answered. */
import type { CommitOutcome, CommittedOffset } from "../source/source.ts";
import { Validator } from "../validate.ts";

const check = new Validator("plan a commit's answer");

/**
 * How a commit request is answered: a {@link CommitOutcome}; `stored-unknown`: stored although the answer is `retry`;
 * `hang`: no answer before the request's signal aborts, nothing stored.
 */
export type PlannedOutcome = CommitOutcome | "stored-unknown" | "hang";

const PLANNED: readonly PlannedOutcome[] = [
  "stored",
  "fenced",
  "not-now",
  "retry",
  "too-large",
  "denied",
  "stored-unknown",
  "hang",
];

/** Stands for a member where an admin commits. */
export const OUTSIDE: number = -1;

/** One entry of a commit request. */
export interface MemoryCommit {
  readonly groupId: string;
  /** Index of the member: sources in the order in which they were opened, from 0; -1: an admin, from outside. */
  readonly member: number;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string;
}

/** One entry of a commit request with what became of it. */
export interface CommitAttempt extends MemoryCommit {
  /** Number of the request, from 0: entries with the same number travelled together. */
  readonly request: number;
  /** What the member was told; null while there is no answer. */
  readonly outcome: CommitOutcome | null;
  readonly stored: boolean;
}

/** Chooses the answer of a request; undefined: stored. A promise holds the request on its way. */
export type CommitHook = (
  entries: readonly MemoryCommit[],
) => PlannedOutcome | undefined | Promise<PlannedOutcome | undefined>;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Stored offsets by group, topic and partition, with the history of all requests. */
export class MemoryCommits {
  /** Group, then "topic#partition". */
  readonly #groups = new Map<string, Map<string, CommittedOffset>>();
  readonly #attempts: Writable<CommitAttempt>[] = [];
  readonly #stored: MemoryCommit[] = [];
  readonly #stale: MemoryCommit[] = [];
  readonly #plan: PlannedOutcome[] = [];
  #requests = 0;

  attempts(): readonly CommitAttempt[] {
    return this.#attempts.map((attempt) => ({ ...attempt }));
  }

  /** In the order in which they were stored. */
  stored(): readonly MemoryCommit[] {
    return [...this.#stored];
  }

  stale(): readonly MemoryCommit[] {
    return [...this.#stale];
  }

  noteStale(entry: MemoryCommit): void {
    this.#stale.push(entry);
  }

  plan(outcome: PlannedOutcome, count: number): void {
    check.oneOf("outcome", outcome, outcome, PLANNED);
    check.integer("count", count, 1, 1, 1_000_000);
    for (let i = 0; i < count; i++) this.#plan.push(outcome);
  }

  nextPlanned(): PlannedOutcome | undefined {
    return this.#plan.shift();
  }

  /** Notes a request on its way. */
  begin(entries: readonly MemoryCommit[]): Writable<CommitAttempt>[] {
    const request = this.#requests++;
    const attempts = entries.map((entry) => ({ ...entry, request, outcome: null, stored: false }));
    for (const attempt of attempts) this.#attempts.push(attempt);
    return attempts;
  }

  store(attempt: Writable<CommitAttempt>): void {
    const { groupId, member, topic, partition, offset, metadata } = attempt;
    attempt.stored = true;
    this.set(groupId, topic, partition, { offset, metadata });
    this.#stored.push({ groupId, member, topic, partition, offset, metadata });
  }

  set(groupId: string, topic: string, partition: number, committed: CommittedOffset): void {
    const group = this.#groups.get(groupId) ?? new Map<string, CommittedOffset>();
    this.#groups.set(groupId, group.set(`${topic}#${partition}`, committed));
  }

  /** Topics in which the group has stored an offset, sorted. */
  topicsOf(groupId: string): string[] {
    const stored = [...(this.#groups.get(groupId) ?? [])].filter(([, { offset }]) => offset >= 0);
    return [...new Set(stored.map(([name]) => name.slice(0, name.lastIndexOf("#"))))].sort();
  }

  /** null: nothing stored; an offset below 0 is none (O10). */
  get(groupId: string, topic: string, partition: number): CommittedOffset | null {
    const found = this.#groups.get(groupId)?.get(`${topic}#${partition}`);
    return found && found.offset >= 0 ? found : null;
  }
}
