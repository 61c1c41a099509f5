/**
 * The rules, as a model of their own: it sees handler calls, marks, and what crosses the border to the source, and
 * nothing of the pipeline. Numbers are those of the invariants in the architecture document.
 */
import type { CommitOutcome } from "../../src/source/source.ts";
import { checkBounds, checkCollapse, checkLane, checkOrder } from "./call-rules.ts";
import { checkMap, checkText, readMetadata } from "./commit-rules.ts";
import { demand } from "./demand.ts";
import { backoffMs, FailureModel } from "./failure-model.ts";
import { Period, type SimCall, type SimMessage, type SimPartition } from "./period.ts";
import type { Scenario } from "./scenario.ts";

/** A member as the checker sees it. */
export interface SimMember {
  readonly index: number;
  concurrency: number;
  closing: boolean;
  readonly paused: Set<SimPartition>;
  readonly running: Set<SimCall>;
  /** Messages whose call ended well after their lease (R3). */
  dropped: number;
  /** Dead letters whose topic is asked for first: they are on their way, though not seen. */
  askingTopics: number;
}

/** How a call ended. */
export type SimResult =
  | "ok"
  | "failed"
  | { readonly pauseMs: number; readonly collapseUntil: number | null };

/** What a handler sees of its lease. */
export interface SeenContext {
  readonly virtualPartition: number;
  readonly attempt: number;
  readonly collapsed: boolean;
}

export class Checker {
  readonly members: Map<number, SimMember> = new Map();
  /** Periods that have not ended. */
  readonly periods: Set<Period> = new Set();
  readonly failures: FailureModel;
  readonly scenario: Scenario;
  readonly now: () => number;
  #calls = 0;

  constructor(scenario: Scenario, now: () => number) {
    this.scenario = scenario;
    this.now = now;
    this.failures = new FailureModel(now);
  }

  /** Calls so far. */
  get calls(): number {
    return this.#calls;
  }

  // ---- the source's side -------------------------------------------------------------------------------------

  /** O10, O11: a lease begins where the group has committed, if that is in the log. */
  assigned(member: number, partition: SimPartition, start: number): Period {
    const { committed, metadata, logStart, logEnd } = partition;
    const inLog = committed !== null && committed >= logStart && committed <= logEnd;
    const latest = committed !== null && this.scenario.onOutOfRange === "latest";
    const reset = latest ? logEnd : logStart;
    const due = inLog ? committed : reset;
    const { name } = partition;
    demand(start === due, () => `O10: ${name} starts at ${start} instead of ${due}`);
    const read = readMetadata(partition, due, inLog ? metadata : "");
    for (const offset of read.done) {
      const known = partition.everDone.has(offset);
      demand(known, () => `O5: the map of ${name} names ${offset}, which nobody has done`);
    }
    if (!inLog && committed !== null)
      partition.skippedBelow = Math.max(partition.skippedBelow, due);
    return this.#begin(member, partition, {
      offset: due,
      gated: !inLog,
      inherited: read.done,
      text: read.text,
    });
  }

  /** R11: a seek begins anew; what the map said is void, the user's text goes on. */
  sought(old: Period, offset: number): Period {
    const { member, partition, gated, committable } = old;
    this.end(old);
    partition.skippedBelow = Math.max(partition.skippedBelow, offset);
    const text = old.texts.at(committable);
    return this.#begin(member, partition, { offset, gated, inherited: new Set(), text });
  }

  #begin(
    member: number,
    partition: SimPartition,
    start: { offset: number; gated: boolean; inherited: ReadonlySet<number>; text: string | null },
  ): Period {
    const metadataLimit = this.scenario.maxMetadataLength;
    const period = new Period(member, partition, { ...start, metadataLimit });
    this.periods.add(period);
    return period;
  }

  delivered(period: Period, offsets: readonly number[], nextOffset: number): void {
    const records = period.partition.records.filter(({ offset }) => offsets.includes(offset));
    const fresh = records.filter(({ offset }) => !period.inherited.has(offset));
    const ordered = fresh.some(({ poison }) => poison);
    for (const { offset, key, toxic } of records) {
      const done = period.inherited.has(offset);
      period.messages.set(offset, {
        ...{ offset, key, toxic, ordered: ordered && !done, deliveredMs: this.now(), done },
        ...{ state: done ? "finished" : "queued", virtualPartition: -1, failures: 0 },
        ...{
          retryAtMs: 0,
          sends: 0,
          sendDueMs: 0,
          sending: false,
          collapsed: false,
          handlerLetters: 0,
        },
      });
    }
    this.advanced(period, nextOffset);
  }

  advanced(period: Period, nextOffset: number): void {
    period.nextOffset = Math.max(period.nextOffset, nextOffset);
    this.settleCollapse(period);
  }

  drain(period: Period): void {
    if (period.state !== "live") return;
    period.state = "draining";
    this.failures.drain(period);
  }

  end(period: Period): void {
    period.state = "ended";
    this.periods.delete(period);
  }

  /** The join gave it back: back-offs are over (R3). */
  continue(period: Period): void {
    if (period.state === "suspended") period.state = "live";
    period.waits.clear();
    period.endedMs = this.now();
    period.collapse.waitUntilMs = 0;
    for (const message of period.messages.values()) message.retryAtMs = 0;
  }

  /** Invariants 2, 3 and 4, in the tick in which a commit leaves. */
  commitSent(period: Period, offset: number, metadata: string): void {
    const { name } = period.partition;
    demand(period.state !== "ended", () => `4: ${name} commits ${offset} after its lease`);
    const closing = this.members.get(period.member)?.closing === true;
    const maySend = period.state !== "suspended" || closing;
    demand(maySend, () => `R2: ${name} commits ${offset} while suspended`);
    const { committable, start, metadataLimit } = period;
    demand(offset >= start, () => `O4: ${name} commits ${offset} below its start ${start}`);
    demand(
      offset <= committable,
      () => `2: ${name} commits ${offset} though only ${committable} is done`,
    );
    const { length } = metadata;
    demand(length <= metadataLimit, () => `5: ${name} commits ${length} units of metadata`);
    this.checkMetadata(period, offset, metadata);
  }

  checkMetadata(period: Period, offset: number, metadata: string): void {
    const { metadataLimit } = period;
    if (this.scenario.offsetMap !== "off") checkMap(period, offset, metadata, metadataLimit);
    checkText(period, offset, metadata, metadataLimit);
  }

  commitAnswered(period: Period, outcome: CommitOutcome, metadata: string): void {
    if (outcome === "stored") period.gated = false;
    if (outcome === "stored") period.stored = true;
    if (outcome !== "too-large" || metadata === "") return;
    period.metadataLimit = Math.min(period.metadataLimit, Math.floor(metadata.length / 2));
  }

  // ---- handler calls -----------------------------------------------------------------------------------------

  startCall(
    member: SimMember,
    partition: SimPartition,
    offsets: readonly number[],
    seen: SeenContext,
  ): SimCall {
    const { virtualPartition } = seen;
    const period = this.periodOf(member.index, partition);
    const where = `${partition.name} ${offsets.join(",")} on m${member.index}`;
    demand(period?.state === "live", () => `R2: ${where} starts, lease ${period?.state}`);
    demand(!period.gated, () => `O10: ${where} starts before the start is stored`);
    demand(!member.paused.has(partition), () => `E8: ${where} starts while paused`);
    const pausedUntilMs = period.pausedUntilMs;
    demand(this.now() >= pausedUntilMs, () => `E8: ${where} starts before ${pausedUntilMs} ms`);
    demand(!member.closing, () => `R4: ${where} starts while closing`);
    const messages = offsets.map((offset) => period.messages.get(offset));
    demand(
      messages.every((one) => one !== undefined),
      () => `${where}: never delivered`,
    );
    const call = { id: ++this.#calls, member: member.index, period, virtualPartition, messages };
    for (const message of messages) if (message.state === "undecided") message.state = "queued";
    checkBounds(this, member, call, where);
    checkOrder(this.callsOf(partition), call, where);
    checkLane(call, seen.attempt, this.now(), where);
    checkCollapse(this.callsOf(partition), call, seen.collapsed, this.now(), where);
    period.activeMs = this.now();
    for (const message of messages) {
      message.state = "running";
      message.virtualPartition = virtualPartition;
    }
    member.running.add(call);
    return call;
  }

  endCall(call: SimCall, result: SimResult): void {
    const { period, messages } = call;
    const ok = result === "ok";
    const member = this.members.get(call.member)!;
    member.running.delete(call);
    for (const one of this.periods) {
      if (one.partition === period.partition) one.endedMs = this.now();
    }
    period.activeMs = this.now();
    if (period.state === "ended") {
      if (ok) member.dropped += messages.length;
      return;
    }
    const retried = messages[0]!.failures > 0 || messages.length === 1;
    for (const message of messages) {
      message.state = ok ? "finished" : "queued";
      if (ok && !period.rules.manual) period.markDone(message);
    }
    if (ok) this.#succeeded(period, messages[0]!, retried);
    else if (period.state === "live") {
      if (result === "failed") this.failures.failed(call);
      else this.#redeliver(period, result);
    }
    this.settleCollapse(period);
  }

  /** Q5: a call that succeeds marks, unless that is the handler's own business. */
  #succeeded(period: Period, first: SimMessage, retried: boolean): void {
    const lane = period.laneOf(first);
    if (!period.rules.manual) this.failures.progress(period, lane);
    else if (retried) this.failures.unsure(period, lane);
  }

  #redeliver(
    period: Period,
    { pauseMs, collapseUntil }: { pauseMs: number; collapseUntil: number | null },
  ): void {
    this.pauseFor(period, pauseMs);
    if (collapseUntil !== null) this.collapseUntil(period, collapseUntil);
  }

  /** E8: the latest end wins. */
  pauseFor(period: Period, ms: number): void {
    if (period.state === "ended" || ms === 0) return;
    period.pausedUntilMs = Math.max(period.pausedUntilMs, this.now() + ms);
  }

  /** E6: an offset that is passed does nothing. */
  collapseUntil(period: Period, offset: number): void {
    if (period.state === "ended" || offset < period.unfinishedFrom) return;
    period.collapse.request(offset);
    this.settleCollapse(period);
  }

  /** E2: sets the window once no call runs, and ends it once everything in it is done. */
  settleCollapse(period: Period): void {
    const { collapse } = period;
    if (collapse.phase === "none") return;
    if (this.callsOf(period.partition).some((call) => call.period === period)) return;
    if (collapse.phase === "gathering") {
      let highest = -1;
      for (const one of period.messages.values()) {
        if (one.virtualPartition >= 0) highest = Math.max(highest, one.offset);
      }
      const attempt = collapse.set(highest);
      const waits = attempt > 0 && period.state === "live";
      collapse.waitUntilMs = waits ? this.now() + backoffMs(attempt) : 0;
    }
    if (period.unfinishedFrom >= collapse.until && !period.collapsedLetter) collapse.end();
  }

  /** O2: what marking one message means. @returns What it must answer (O8). */
  mark(call: SimCall, message: SimMessage, text: string | undefined): boolean {
    const { period } = call;
    if (period.state === "ended") return false;
    period.activeMs = this.now();
    if (text !== undefined) period.texts.attach(message.offset, text);
    const lane = period.laneOf(message);
    for (const one of period.messages.values()) {
      const handed = one.virtualPartition >= 0 && one.offset <= message.offset;
      if (handed && period.laneOf(one) === lane) period.markDone(one);
    }
    this.failures.unsure(period, lane);
    this.#progressOf(call);
    this.settleCollapse(period);
    return true;
  }

  /** Q5: contexts of `eachMessage` are reused, so that whoever marks late is taken for the call that runs there. */
  #progressOf(call: SimCall): void {
    const { period, virtualPartition } = call;
    const running = this.members.get(call.member)?.running.has(call) === true;
    const reused = period.rules.form === "eachMessage";
    const own = this.callsOf(period.partition).find(
      (one) => one.period === period && one.virtualPartition === virtualPartition,
    );
    const caller = running ? call : reused ? own : undefined;
    if (caller !== undefined) this.failures.progress(period, period.laneOf(caller.messages[0]!));
  }

  periodOf(member: number, partition: SimPartition): Period | undefined {
    for (const one of this.periods) {
      if (one.member === member && one.partition === partition) return one;
    }
    return undefined;
  }

  callsOf(partition: SimPartition): SimCall[] {
    const calls: SimCall[] = [];
    for (const member of this.members.values()) {
      for (const call of member.running) if (call.period.partition === partition) calls.push(call);
    }
    return calls;
  }
}
