/** What the checker knows of one ownership period. */
import type { TopicRules } from "./scenario.ts";

/** Something that must not happen did. */
export class Violation extends Error {
  constructor(what: string) {
    super(what);
    this.name = "Violation";
  }
}

export interface SimRecord {
  readonly offset: number;
  readonly key: string;
  readonly poison: boolean;
}

/** One message under one period. */
export interface SimMessage {
  readonly offset: number;
  readonly key: string;
  /** Of a batch whose partitioner fails (P2). */
  readonly ordered: boolean;
  readonly deliveredMs: number;
  state: "queued" | "running" | "finished";
  /** Marked: a commit may pass it. */
  done: boolean;
  /** Virtual partition that it was handed to; -1 before. */
  virtualPartition: number;
  failures: number;
  retryAtMs: number;
}

export interface SimPartition {
  readonly name: string;
  readonly rules: TopicRules;
  readonly records: SimRecord[];
  /** Last commit that the broker stored; null: none. */
  committed: number | null;
}

/** One ownership period: a lease, or what a seek began under it (R11). */
export class Period {
  readonly member: number;
  readonly partition: SimPartition;
  readonly start: number;
  readonly messages: Map<number, SimMessage> = new Map();
  /** Virtual partition by key, `consistent` only (D1). */
  readonly placed: Map<string, number> = new Map();
  /** When a call of the partition ended last: what it left may be held back to fill a call (F3). */
  endedMs = 0;
  /** Until when lanes wait for a retry. */
  readonly waits: Map<string | number, number> = new Map();
  state: "live" | "draining" | "suspended" | "ended" = "live";
  /** The start is not stored yet (O10). */
  gated: boolean;
  /** Where the source goes on. */
  nextOffset: number;

  constructor(member: number, partition: SimPartition, start: number, gated: boolean) {
    this.member = member;
    this.partition = partition;
    this.start = start;
    this.nextOffset = start;
    this.gated = gated;
  }

  get rules(): TopicRules {
    return this.partition.rules;
  }

  /** The longest prefix of the log from the start that is done: no commit may be higher. */
  get committable(): number {
    for (const { offset } of this.partition.records) {
      if (offset < this.start) continue;
      if (offset >= this.nextOffset) break;
      if (!this.messages.get(offset)?.done) return offset;
    }
    return this.nextOffset;
  }

  get unfinished(): SimMessage[] {
    return [...this.messages.values()].filter((one) => one.state !== "finished" && !one.done);
  }

  get unacknowledged(): number {
    let count = 0;
    for (const one of this.messages.values()) if (one.state === "finished" && !one.done) count++;
    return count;
  }

  /** What collective marking takes together (O2). */
  laneOf(message: SimMessage): string | number {
    if (message.ordered) return "ordered";
    return this.rules.distribution === "per-key" ? message.key : message.virtualPartition;
  }
}

/** A handler call. */
export interface SimCall {
  readonly id: number;
  readonly member: number;
  readonly period: Period;
  readonly virtualPartition: number;
  readonly messages: readonly SimMessage[];
}
