/**
 * The rules, as a model of their own: it sees handler calls, marks, and what crosses the border to the source, and
 * nothing of the pipeline. Numbers are those of the invariants in the architecture document.
 */
import type { CommitOutcome } from "../../src/source/source.ts";
import { Period, type SimCall, type SimMessage, type SimPartition, Violation } from "./period.ts";
import { RETRY, type TopicRules } from "./scenario.ts";

/** A member as the checker sees it. */
export interface SimMember {
  readonly index: number;
  concurrency: number;
  closing: boolean;
  readonly paused: Set<SimPartition>;
  readonly running: Set<SimCall>;
  /** Messages whose call ended well after their lease (R3). */
  dropped: number;
}

export function demand(holds: boolean, what: () => string): asserts holds {
  if (!holds) throw new Violation(what());
}

export class Checker {
  readonly members: Map<number, SimMember> = new Map();
  /** Periods that have not ended. */
  readonly periods: Set<Period> = new Set();
  readonly #maxUnmarked: number;
  readonly #now: () => number;
  #calls = 0;

  constructor(maxUnmarkedMessages: number, now: () => number) {
    this.#maxUnmarked = maxUnmarkedMessages;
    this.#now = now;
  }

  /** Calls so far. */
  get calls(): number {
    return this.#calls;
  }

  // ---- the source's side -------------------------------------------------------------------------------------

  /** A lease begins, or a seek. */
  begin(member: number, partition: SimPartition, start: number, gated: boolean): Period {
    const period = new Period(member, partition, start, gated);
    this.periods.add(period);
    return period;
  }

  /** O10: a lease starts where the group has committed. */
  assigned(partition: SimPartition, committed: number | null, start: number): void {
    demand(committed === partition.committed, () => `${partition.name}: wrong offset read`);
    const due = committed ?? 0;
    demand(start === due, () => `O10: ${partition.name} starts at ${start} instead of ${due}`);
  }

  delivered(period: Period, offsets: readonly number[], nextOffset: number): void {
    const records = period.partition.records.filter(({ offset }) => offsets.includes(offset));
    const ordered = records.some(({ poison }) => poison);
    const common = { ordered, deliveredMs: this.#now(), state: "queued", done: false } as const;
    for (const { offset, key } of records) {
      const fresh = { virtualPartition: -1, failures: 0, retryAtMs: 0 };
      period.messages.set(offset, { offset, key, ...common, ...fresh });
    }
    period.nextOffset = Math.max(period.nextOffset, nextOffset);
  }

  end(period: Period): void {
    period.state = "ended";
    this.periods.delete(period);
  }

  /** The join gave it back: back-offs are over (R3). */
  continue(period: Period): void {
    if (period.state === "suspended") period.state = "live";
    period.waits.clear();
    for (const message of period.messages.values()) message.retryAtMs = 0;
  }

  /** Invariants 2 and 4, in the tick in which a commit leaves. */
  commitSent(period: Period, offset: number): void {
    const { name } = period.partition;
    demand(period.state !== "ended", () => `4: ${name} commits ${offset} after its lease`);
    const closing = this.members.get(period.member)?.closing === true;
    const maySend = period.state !== "suspended" || closing;
    demand(maySend, () => `R2: ${name} commits ${offset} while suspended`);
    const { committable, start } = period;
    demand(offset >= start, () => `O4: ${name} commits ${offset} below its start ${start}`);
    demand(
      offset <= committable,
      () => `2: ${name} commits ${offset} though only ${committable} is done`,
    );
  }

  commitAnswered(period: Period, outcome: CommitOutcome): void {
    if (outcome === "stored") period.gated = false;
  }

  // ---- handler calls -----------------------------------------------------------------------------------------

  startCall(
    member: SimMember,
    partition: SimPartition,
    offsets: readonly number[],
    virtualPartition: number,
    attempt: number,
  ): SimCall {
    const period = [...this.periods].find(
      (one) => one.member === member.index && one.partition === partition,
    );
    const where = `${partition.name} ${offsets.join(",")} on m${member.index}`;
    demand(period?.state === "live", () => `R2: ${where} starts, lease ${period?.state}`);
    demand(!period.gated, () => `O10: ${where} starts before the start is stored`);
    demand(!member.paused.has(partition), () => `E8: ${where} starts while paused`);
    demand(!member.closing, () => `R4: ${where} starts while closing`);
    const messages = offsets.map((offset) => period.messages.get(offset));
    demand(
      messages.every((one) => one !== undefined),
      () => `${where}: never delivered`,
    );
    const call = { id: ++this.#calls, member: member.index, period, virtualPartition, messages };
    this.#checkBounds(member, call, where);
    for (const message of messages) this.#checkOrder(call, message, where);
    this.#checkLane(call, attempt, where);
    for (const message of messages) {
      message.state = "running";
      message.virtualPartition = virtualPartition;
    }
    member.running.add(call);
    return call;
  }

  endCall(call: SimCall, ok: boolean): void {
    const { period, messages } = call;
    const member = this.members.get(call.member)!;
    member.running.delete(call);
    for (const one of this.periods) {
      if (one.partition === period.partition) one.endedMs = this.#now();
    }
    if (period.state === "ended") {
      if (ok) member.dropped += messages.length;
      return;
    }
    for (const message of messages) {
      message.state = ok ? "finished" : "queued";
      if (ok && !period.rules.manual) message.done = true;
    }
    // E9: a throw in a drain is no failure.
    if (!ok && period.state === "live") this.#failed(call);
  }

  /** O2: what marking one message means. @returns What it must answer (O8). */
  mark({ period }: SimCall, message: SimMessage): boolean {
    if (period.state === "ended") return false;
    const lane = period.laneOf(message);
    for (const one of period.messages.values()) {
      const handed = one.virtualPartition >= 0 && one.offset <= message.offset;
      if (handed && period.laneOf(one) === lane) one.done = true;
    }
    return true;
  }

  // ---- after each step ---------------------------------------------------------------------------------------

  /** Invariant 7: nothing that could run is waiting. */
  checkLiveness(): void {
    for (const period of this.periods) {
      const member = this.members.get(period.member)!;
      if (period.state !== "live" || period.gated || member.closing) continue;
      if (member.paused.has(period.partition)) continue;
      if (member.running.size >= member.concurrency) continue;
      if (period.unacknowledged >= this.#maxUnmarked) continue;
      const stuck = this.#stuckMessage(period);
      demand(
        stuck === undefined,
        () => `7: ${period.partition.name} ${stuck?.offset} could run on m${period.member}`,
      );
    }
  }

  #stuckMessage(period: Period): SimMessage | undefined {
    const nowMs = this.#now();
    const { rules } = period;
    const left = period.unfinished;
    const queued = left.filter(
      (one) =>
        one.state === "queued" &&
        Math.max(one.deliveredMs, period.endedMs) + rules.maxWaitMs <= nowMs,
    );
    const calls = this.#callsOf(period.partition);
    const own = calls.filter((call) => call.period === period);
    if (own.length >= rules.maxPartitions) return undefined;
    const stale = calls.length - own.length;
    const waits = [...period.waits].filter(([, untilMs]) => untilMs > nowMs);
    // Whatever the distribution: with nothing to wait for, something must run.
    if (calls.length + waits.length === 0) return queued[0];
    const ordered = left.some((one) => one.ordered) || waits.some(([lane]) => lane === "ordered");
    if (ordered) return undefined;
    const laneOf = laneKnown(rules, period);
    if (laneOf === undefined || (stale > 0 && rules.distribution !== "per-key")) return undefined;
    const busy = new Set<unknown>(waits.map(([lane]) => lane));
    for (const call of calls) for (const one of call.messages) busy.add(laneOf(one));
    return queued.find((one) => laneOf(one) !== undefined && !busy.has(laneOf(one)));
  }

  #callsOf(partition: SimPartition): SimCall[] {
    const all = [...this.members.values()].flatMap((member) => [...member.running]);
    return all.filter((call) => call.period.partition === partition);
  }

  /** Invariant 5, and C1: one call per virtual partition. */
  #checkBounds(member: SimMember, call: SimCall, where: string): void {
    const { period, virtualPartition, messages } = call;
    const { rules } = period;
    const room = member.running.size < member.concurrency;
    demand(room, () => `5: ${where} is above the concurrency of ${member.concurrency}`);
    const calls = [...member.running].filter((one) => one.period === period);
    demand(calls.length < rules.maxPartitions, () => `5: ${where} is above maxPartitions`);
    const lanes = calls.map((one) => one.virtualPartition);
    demand(
      !lanes.includes(virtualPartition) && virtualPartition < rules.maxPartitions,
      () => `C1: ${where} cannot be on virtual partition ${virtualPartition}`,
    );
    const most = rules.form === "eachMessage" ? 1 : rules.maxMessages;
    demand(messages.length <= most, () => `F3: ${where} has more than ${most} messages`);
    demand(
      period.unacknowledged < this.#maxUnmarked,
      () => `O9: ${where} starts with ${period.unacknowledged} messages unacknowledged`,
    );
  }

  /** Invariant 1, and that nothing runs twice under one lease. */
  #checkOrder(call: SimCall, message: SimMessage, where: string): void {
    const { period } = call;
    const { offset, key } = message;
    demand(message.state === "queued", () => `3: ${where}: ${offset} is ${message.state}`);
    demand(!message.done, () => `3: ${where}: ${offset} was marked before`);
    for (const one of this.#callsOf(period.partition)) {
      const shared = one.messages.find(
        (other) => other.key === key || other.ordered || message.ordered,
      );
      demand(
        shared === undefined,
        () => `1: ${where}: ${shared?.offset} of key ${key} still runs on m${one.member}`,
      );
    }
    for (const other of period.messages.values()) {
      if (other.offset >= offset || other.done || other.state === "finished") continue;
      if (call.messages.includes(other) && !message.ordered) continue;
      const after = other.key === key || other.ordered || message.ordered;
      const inCall = call.messages.includes(other);
      demand(!after || inCall, () => `1: ${where}: ${offset} overtakes ${other.offset}`);
    }
  }

  /** E3, E5, D1, D4: offsets ascend, a retry adds nothing and waits for its time. */
  #checkLane(call: SimCall, attempt: number, where: string): void {
    const { period, messages, virtualPartition } = call;
    for (const [i, message] of messages.entries()) {
      demand(
        i === 0 || messages[i - 1]!.offset < message.offset,
        () => `D4: ${where} not ascending`,
      );
      const alone = message.failures === 0 || messages.length === 1;
      demand(alone, () => `Q1: ${where} retries more than one message`);
      if (period.rules.distribution !== "consistent" || message.ordered) continue;
      const before = period.placed.get(message.key) ?? virtualPartition;
      demand(before === virtualPartition, () => `D1: ${where}: key ${message.key} moved`);
      period.placed.set(message.key, virtualPartition);
    }
    const first = messages[0]!;
    const due = first.failures + 1;
    demand(attempt === due, () => `E3: ${where} is attempt ${attempt} instead of ${due}`);
    const waited = first.retryAtMs <= this.#now();
    demand(waited, () => `E5: ${where} is retried before ${first.retryAtMs} ms`);
  }

  #failed({ period, messages }: SimCall): void {
    for (const message of messages) message.failures++;
    const first = messages[0]!;
    const grown = RETRY.backoffMs * RETRY.multiplier ** (first.failures - 1);
    const retryAtMs = this.#now() + Math.min(grown, RETRY.maxBackoffMs);
    for (const message of messages) message.retryAtMs = retryAtMs;
    period.waits.set(period.laneOf(first), retryAtMs);
  }
}

/** Which lane a message is in, where that can be said from outside. */
function laneKnown(
  rules: TopicRules,
  period: Period,
): ((message: SimMessage) => unknown) | undefined {
  if (rules.distribution === "per-key") return (message) => message.key;
  if (rules.distribution === "consistent") return (message) => period.placed.get(message.key);
  return undefined;
}
