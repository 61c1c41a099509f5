/** What the checker knows of one ownership period. */
import { CollapseModel } from "./collapse-model.ts";
import type { TopicRules } from "./scenario.ts";
import { TextModel } from "./text-model.ts";

export interface SimRecord {
  readonly offset: number;
  readonly key: string;
  /** The partitioner fails for it (P2). */
  readonly poison: boolean;
  /** Its calls fail. */
  readonly toxic: boolean;
}

/** One message under one period. */
export interface SimMessage {
  readonly offset: number;
  readonly key: string;
  readonly toxic: boolean;
  /** Of a batch whose partitioner fails (P2). */
  readonly ordered: boolean;
  readonly deliveredMs: number;
  /**
   * `dispatching`: a failure has sent it to the dead letter queue; `undecided`: the model cannot tell whether one has.
   */
  state: "queued" | "running" | "finished" | "dispatching" | "undecided";
  /** Marked: a commit may pass it. */
  done: boolean;
  /** Virtual partition that it was handed to; -1 before. */
  virtualPartition: number;
  failures: number;
  retryAtMs: number;
  /** Sends to a dead letter topic so far, and when the next is due. */
  sends: number;
  sendDueMs: number;
  sending: boolean;
  /** Its last failure came in a collapse. */
  collapsed: boolean;
  /** Calls of `context.deadLetter()` for it that have not settled. */
  handlerLetters: number;
}

export interface SimPartition {
  readonly name: string;
  readonly rules: TopicRules;
  readonly records: SimRecord[];
  /** Last commit that the broker stored; null: none. */
  committed: number | null;
  metadata: string;
  /** Next offset of its log, holes behind the last record included. */
  logEnd: number;
  logStart: number;
  /** Offsets that were marked under any period. */
  readonly everDone: Set<number>;
  /** A seek or a reset has passed everything below. */
  skippedBelow: number;
}

/** How a period begins. */
export interface PeriodStart {
  readonly offset: number;
  /** The start is not stored yet (O10). */
  readonly gated: boolean;
  /** Offsets that the map says are done. */
  readonly inherited: ReadonlySet<number>;
  readonly text: string | null;
  readonly metadataLimit: number;
}

/** One ownership period: a lease, or what a seek began under it (R11). */
export class Period {
  readonly member: number;
  readonly partition: SimPartition;
  readonly start: number;
  readonly inherited: ReadonlySet<number>;
  /** In offset order. */
  readonly messages: Map<number, SimMessage> = new Map();
  /** Virtual partition by key, `consistent` only (D1). */
  readonly placed: Map<string, number> = new Map();
  readonly collapse: CollapseModel = new CollapseModel();
  readonly texts: TextModel;
  /** When a call of the partition ended last: what it left may be held back to fill a call (F3). */
  endedMs = 0;
  /** When something was last handled or marked. */
  activeMs = 0;
  /** Until when lanes wait for a retry. */
  readonly waits: Map<string | number, number> = new Map();
  state: "live" | "draining" | "suspended" | "ended" = "live";
  gated: boolean;
  /** Where the source goes on. */
  nextOffset: number;
  /** UTF-16 units of metadata that the broker has not refused (O6). */
  metadataLimit: number;
  /** A commit of this period was stored. */
  stored = false;
  /** `context.pause()` holds it. */
  pausedUntilMs = 0;
  /** Failures of a lane since it last made progress (Q5); NaN: not known. */
  readonly budgets: Map<string | number, number> = new Map();
  /** Offset of the last dead letter by lane, or of the collapsed partition (Q6). */
  readonly lettered: Map<string | number, number> = new Map();

  constructor(member: number, partition: SimPartition, start: PeriodStart) {
    this.member = member;
    this.partition = partition;
    this.start = start.offset;
    this.nextOffset = start.offset;
    this.gated = start.gated;
    this.inherited = start.inherited;
    this.metadataLimit = start.metadataLimit;
    this.texts = new TextModel(partition.rules.exactText, start.text);
  }

  get rules(): TopicRules {
    return this.partition.rules;
  }

  /** The longest prefix of what was delivered that is done: no commit may be higher. */
  get committable(): number {
    for (const one of this.messages.values()) if (!one.done) return one.offset;
    return this.nextOffset;
  }

  get unfinished(): SimMessage[] {
    const left: SimMessage[] = [];
    for (const one of this.messages.values()) {
      if (one.state !== "finished" && !one.done) left.push(one);
    }
    return left;
  }

  /** Lowest offset that must still be handled, or polled. */
  get unfinishedFrom(): number {
    for (const one of this.messages.values()) {
      if (one.state !== "finished" && !one.done) return one.offset;
    }
    return this.nextOffset;
  }

  /** A dead letter of the collapsed partition is on its way, whoever may have marked the message meanwhile. */
  get collapsedLetter(): boolean {
    for (const one of this.messages.values()) {
      if (one.state === "dispatching" && one.collapsed) return true;
    }
    return false;
  }

  get unacknowledged(): number {
    let count = 0;
    for (const one of this.messages.values()) if (one.state === "finished" && !one.done) count++;
    return count;
  }

  /** Whether a record is done, as far as this period knows: by itself, or by the map that it has read. */
  isDone(offset: number): boolean {
    const message = this.messages.get(offset);
    if (message !== undefined) return message.done;
    return offset >= this.nextOffset && this.inherited.has(offset);
  }

  markDone(message: SimMessage): void {
    message.done = true;
    this.partition.everDone.add(message.offset);
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
