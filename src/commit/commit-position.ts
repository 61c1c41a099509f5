import type { CommitOutcome, Lease } from "../source/source.ts";
import type { Committable, PendingCommit } from "./committer.ts";

/** What may be committed for a lease now. */
export interface CommitSource {
  /** Commits may be sent: live, or draining inside the revoke hook. */
  readonly mayCommit: boolean;
  readonly committable: number;
  /** The metadata that goes with the committable offset. O(runs). */
  metadataOf(offset: number): CommittedMap;
}

/** The completed map of a commit, as its metadata carries it. */
export interface CommittedMap {
  readonly text: string;
  /** Done offsets above the committed one that it names. */
  readonly completed: number;
  /** It did not hold all of them (O6). */
  readonly truncated: boolean;
}

/** What is told about the answers. */
export interface CommitListener {
  stored(offset: number, map: CommittedMap): void;
  refused(outcome: CommitOutcome, metadataLength: number): void;
}

/** What is stored at first: the offset and metadata read at assignment. */
export interface StoredCommit {
  readonly offset: number;
  readonly metadata: string;
}

/** One commit as it was sent, with its place among the changes. */
interface SentCommit extends PendingCommit {
  readonly map: CommittedMap;
  readonly version: number;
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
  /** The map of the last stored commit. */
  map: CommittedMap = { text: "", completed: 0, truncated: false };
  #storedMetadata: string;
  /** Counts what was marked, or said, since the lease began. */
  #version = 0;
  #storedVersion = 0;
  #pending: SentCommit | null = null;

  constructor(
    lease: Lease,
    source: CommitSource,
    stored: StoredCommit | null,
    listener: CommitListener,
  ) {
    this.lease = lease;
    this.#source = source;
    this.stored = stored?.offset ?? null;
    this.#storedMetadata = stored?.metadata ?? "";
    this.#listener = listener;
  }

  get mayCommit(): boolean {
    return !this.fenced && this.#source.mayCommit;
  }

  /** Something was marked, or there is another text to store. */
  changed(): void {
    this.#version++;
  }

  pendingCommit(): PendingCommit | null {
    const offset = this.#source.committable;
    const version = this.#version;
    const moved = this.stored === null || offset > this.stored;
    if (!moved && version === this.#storedVersion) return null;
    if (this.#pending?.version !== version || this.#pending.offset !== offset) {
      const map = this.#source.metadataOf(offset);
      this.#pending = { offset, metadata: map.text, map, version };
    }
    if (moved || this.#pending.metadata !== this.#storedMetadata) return this.#pending;
    this.#storedVersion = version;
    return null;
  }

  committed(sent: PendingCommit, outcome: CommitOutcome): void {
    const { offset, metadata, map, version } = sent as SentCommit;
    if (outcome === "stored") {
      this.stored = offset;
      this.#storedMetadata = metadata;
      this.#storedVersion = version;
      this.map = map;
      this.refusal = null;
      this.#listener.stored(offset, map);
      return;
    }
    this.refusal = outcome;
    if (outcome === "fenced") this.fenced = true;
    this.#listener.refused(outcome, metadata.length);
    // What was refused is not sent again as it is.
    if (outcome === "too-large") this.#pending = null;
  }
}
