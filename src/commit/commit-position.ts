import type { CommitOutcome, Lease } from "../source/source.ts";
import type { Committable } from "./committer.ts";

/** What may be committed for a lease now. */
export interface CommitSource {
  /** Commits may be sent: live, or draining inside the revoke hook. */
  readonly mayCommit: boolean;
  readonly committable: number;
}

/** What is told about the answers. */
export interface CommitListener {
  stored(offset: number): void;
  refused(outcome: CommitOutcome): void;
}

/** What the broker has stored for one lease, and what it should have. */
export class CommitPosition implements Committable {
  readonly lease: Lease;
  readonly #source: CommitSource;
  readonly #listener: CommitListener;
  /**
   * Last offset that the broker acknowledged, or read at assignment. null: the start itself must be stored, even
   * though nothing was handled (no offset yet, O10; a reset; a seek).
   */
  stored: number | null;
  /** The broker has fenced this lease. */
  fenced = false;
  /** Outcome of the last request, when it was not stored. */
  refusal: CommitOutcome | null = null;

  constructor(lease: Lease, source: CommitSource, stored: number | null, listener: CommitListener) {
    this.lease = lease;
    this.#source = source;
    this.stored = stored;
    this.#listener = listener;
  }

  get mayCommit(): boolean {
    return !this.fenced && this.#source.mayCommit;
  }

  pendingCommit(): { offset: number; metadata: string } | null {
    const offset = this.#source.committable;
    if (this.stored !== null && offset <= this.stored) return null;
    return { offset, metadata: "" };
  }

  committed(offset: number, outcome: CommitOutcome): void {
    if (outcome === "stored") {
      this.stored = offset;
      this.refusal = null;
      this.#listener.stored(offset);
      return;
    }
    this.refusal = outcome;
    if (outcome === "fenced") this.fenced = true;
    this.#listener.refused(outcome);
  }
}
