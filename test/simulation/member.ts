/** One member of the group: a consumer whose handlers and whose border to the source the simulation controls. */
import { createConsumer } from "../../src/consumer.ts";
import type { Consumer } from "../../src/consumer-interface.ts";
import type { TopicOptions } from "../../src/options.ts";
import type { Lease, Source, SourceFactory, SourceListener } from "../../src/source/source.ts";
import type {
  Batch,
  Clock,
  Message,
  MessageContext,
  VirtualPartitionConsumer,
} from "../../src/types.ts";
import { demand, type SimMember } from "./checker.ts";
import type { Period, SimCall } from "./period.ts";
import { RETRY, type TopicRules } from "./scenario.ts";
import type { World } from "./world.ts";

/** A call whose promise has not settled. */
export interface PendingCall {
  readonly call: SimCall;
  readonly member: Member;
  settle(ok: boolean): void;
  /** Ends a call of a process that is gone. */
  discard(): void;
}

/** A message that a handler kept. */
export interface KeptMessage {
  readonly call: SimCall;
  readonly member: Member;
  readonly message: Message;
  readonly context: MessageContext;
}

type Handled = undefined | PromiseLike<void>;

export class Member {
  readonly model: SimMember;
  readonly consumer: Consumer;
  dead = false;
  readonly #world: World;
  readonly #leases = new Map<Lease, Period>();
  /** Deliveries beyond the budget that were on their way (F1). */
  #lateMessages = 0;
  #largestDelivery = 0;

  constructor(world: World, index: number) {
    const { scenario } = world;
    const { concurrency } = scenario;
    this.#world = world;
    this.model = {
      index,
      concurrency,
      closing: false,
      paused: new Set(),
      running: new Set(),
      dropped: 0,
    };
    const topics: Record<string, TopicOptions> = {};
    for (const [name, rules] of scenario.topics) topics[name] = this.#topicOptions(name, rules);
    this.consumer = createConsumer({
      source: this.#source(),
      groupId: world.groupId,
      topics,
      concurrency,
      maxInFlightMessages: scenario.maxInFlightMessages,
      maxUnmarkedMessages: scenario.maxUnmarkedMessages,
      commitIntervalMs: scenario.commitIntervalMs,
      drainTimeoutMs: scenario.drainTimeoutMs,
      offsetMap: "off",
      fromBeginning: true,
      clock: this.#clock(),
      logger: false,
    });
    this.consumer.on("error", ({ error, fatal }) => {
      if (fatal) world.guard(() => demand(false, () => `fatal error: ${error.message}`));
    });
  }

  /** What a lease in this member's hands looks like to the checker. */
  periods(): Period[] {
    return [...this.#leases.values()].filter((period) => period.state !== "ended");
  }

  close(): Promise<unknown> {
    const closed = this.consumer.close();
    this.model.closing = true;
    for (const period of this.periods()) if (period.state === "live") period.state = "draining";
    return closed;
  }

  /** Its process is gone, with all that runs in it. */
  die(): void {
    this.dead = true;
    for (const period of this.periods()) this.#world.checker.end(period);
    this.#world.checker.members.delete(this.model.index);
  }

  expectLate(): void {
    this.#lateMessages += 1;
  }

  /** Time stands still for the dead. */
  #clock(): Clock {
    const { clock } = this.#world;
    const alive = (callback: () => void) => () => {
      if (!this.dead) callback();
    };
    return {
      now: () => clock.now(),
      wallTime: () => clock.wallTime(),
      setTimer: (callback, ms) => clock.setTimer(alive(callback), ms),
      clearTimer: (handle) => clock.clearTimer(handle),
      defer: (callback) => clock.defer(alive(callback)),
    };
  }

  // ---- the border to the source ------------------------------------------------------------------------------

  #source(): SourceFactory {
    return {
      open: (group) => {
        const inner = this.#world.memory.source.open(group);
        return { ...this.#commands(inner), can: inner.can };
      },
    };
  }

  #commands(inner: Source): Omit<Source, "can"> {
    const { checker, guard } = this.#world;
    return {
      start: (listener) => inner.start(this.#listener(listener)),
      stop: (how) => {
        for (const period of this.periods()) checker.end(period);
        return inner.stop(how);
      },
      pause: (lease) => inner.pause(lease),
      resume: (lease) => inner.resume(lease),
      seek: (lease, offset) => {
        const old = this.#leases.get(lease)!;
        checker.end(old);
        const { partition, gated } = old;
        this.#leases.set(lease, checker.begin(this.model.index, partition, offset, gated));
        inner.seek(lease, offset);
      },
      commit: async (entries, signal) => {
        const periods = entries.map(({ lease }) => this.#leases.get(lease)!);
        if (!this.dead) {
          for (const [i, entry] of entries.entries()) {
            this.#world.note(
              () => `  m${this.model.index} commits ${nameOf(entry.lease)} ${entry.offset}`,
            );
            guard(() => checker.commitSent(periods[i]!, entry.offset));
          }
        }
        const outcomes = await inner.commit(entries, signal);
        this.#world.note(() => `  m${this.model.index} is answered ${outcomes.join(", ")}`);
        for (const [i, period] of periods.entries()) checker.commitAnswered(period, outcomes[i]!);
        return outcomes;
      },
    };
  }

  #listener(inner: SourceListener): SourceListener {
    const { checker, guard } = this.#world;
    const periodsOf = (leases: readonly Lease[]): Period[] =>
      leases.map((lease) => this.#leases.get(lease)!);
    const end = (leases: readonly Lease[]): void => {
      for (const period of periodsOf(leases)) checker.end(period);
    };
    return {
      assigned: (leases) => {
        const starts = inner.assigned(leases);
        for (const [i, { lease, committed }] of leases.entries()) {
          const partition = this.#world.partition(lease);
          const stored = committed?.offset ?? null;
          guard(() => checker.assigned(partition, stored, starts[i]!));
          const period = checker.begin(this.model.index, partition, starts[i]!, stored === null);
          this.#leases.set(lease, period);
        }
        return starts;
      },
      revoking: (leases, deadlineMs) => {
        const periods = periodsOf(leases);
        for (const period of periods) if (period.state === "live") period.state = "draining";
        return inner.revoking(leases, deadlineMs).then(() => {
          for (const one of periods) if (one.state === "draining") one.state = "suspended";
        });
      },
      joined: (kept, ended) => {
        end(ended);
        for (const period of periodsOf(kept)) checker.continue(period);
        inner.joined(kept, ended);
      },
      lost: (leases) => {
        end(leases);
        inner.lost(leases);
      },
      deliver: (batch) => {
        const { records, lease, nextOffset } = batch;
        const offsets = Array.from(
          { length: records.count },
          (_, i) => records.baseOffset + (records.offsetDeltas?.[i] ?? i),
        );
        const period = this.#leases.get(lease)!;
        checker.delivered(period, offsets, nextOffset);
        this.#largestDelivery = Math.max(this.#largestDelivery, offsets.length);
        guard(() => this.#checkBudget());
        return inner.deliver(batch);
      },
      advanced: (lease, nextOffset) => {
        const period = this.#leases.get(lease)!;
        period.nextOffset = Math.max(period.nextOffset, nextOffset);
        inner.advanced(lease, nextOffset);
      },
      failed: (error, fatal) => inner.failed(error, fatal),
    };
  }

  /**
   * Invariant 5: the budget, and one delivery per partition.
   *
   * A partition that joins takes half of its share from others that were within theirs, hence the factor.
   */
  #checkBudget(): void {
    const { maxInFlightMessages } = this.#world.scenario;
    const periods = this.periods();
    const held = periods.reduce((sum, period) => sum + period.unfinished.length, 0);
    const late = this.#lateMessages * this.#largestDelivery;
    if (held <= maxInFlightMessages / 2) this.#lateMessages = 0;
    const common = periods.length > 1 ? 1.6 : 1;
    const most = maxInFlightMessages * common + periods.length * this.#largestDelivery + late;
    demand(held <= most, () => `5: m${this.model.index} holds ${held} messages, above ${most}`);
  }

  // ---- handlers ----------------------------------------------------------------------------------------------

  #topicOptions(name: string, rules: TopicRules): TopicOptions {
    const { form, distribution, maxPartitions, poison, customReducer } = rules;
    const partitioner = (message: Message): string | null => {
      if (message.text() === "poison") throw new Error("Poison");
      return message.keyText();
    };
    const reducer = (key: unknown, count: number): number => String(key).length % count;
    const virtual = {
      distribution: distribution as "consistent",
      maxPartitions,
      ...(poison ? { partitioner } : {}),
      ...(customReducer ? { reducer } : {}),
    };
    const common = {
      maxMessages: rules.maxMessages,
      maxWaitMs: rules.maxWaitMs,
      acknowledge: rules.manual ? ("manual" as const) : ("automatic" as const),
      retry: RETRY,
      onError: "isolate" as const,
      ...(distribution === "single" ? {} : { virtualPartitions: virtual }),
    };
    type Answer = undefined | Promise<void>;
    if (form === "eachMessage") {
      return {
        ...common,
        eachMessage: (message, context) => this.#handle(name, [message], context) as Answer,
      };
    }
    const eachBatch = (batch: Batch): Answer => this.#handle(name, batch.messages, batch) as Answer;
    if (form === "eachBatch") return { ...common, eachBatch };
    return { ...common, consumer: () => this.#instance(eachBatch) };
  }

  /** C1 and C3: an instance serves one period; its flush marks what it was handed. */
  #instance(consume: (batch: Batch) => undefined | Promise<void>): VirtualPartitionConsumer {
    let last: Batch | null = null;
    let period: Period | null = null;
    return {
      consume: (batch) => {
        last = batch;
        const result = consume(batch);
        if (this.dead) return result;
        const now = this.#world.lastCall!.period;
        this.#world.guard(() => demand((period ?? now) === now, () => "C2: an instance lives on"));
        period = now;
        return result;
      },
      flush: () => {
        const { random, kept, note } = this.#world;
        const message = last?.messages.at(-1);
        const one = kept.find((entry) => entry.message === message);
        if (this.dead || one === undefined || !random.chance(0.5)) return;
        note(() => `  m${this.model.index} flushes`);
        this.#world.mark(one);
      },
    };
  }

  #handle(topic: string, messages: readonly Message[], context: MessageContext): Handled {
    const world = this.#world;
    const { random, calm } = world;
    // After a violation nothing goes on: a call that failed with it would be retried for ever.
    if (this.dead || world.broken) return new Promise<void>(() => {});
    const partition = world.partition({ topic, partition: messages[0]!.partition });
    const offsets = messages.map((message) => message.offset);
    const { virtualPartition, attempt } = context;
    const call = world.guard(() =>
      world.checker.startCall(this.model, partition, offsets, virtualPartition, attempt),
    );
    world.lastCall = call;
    const where = `m${this.model.index} #${call.id}`;
    world.note(
      () => `  ${where} ${partition.name}/${virtualPartition} ${describe(call)} attempt ${attempt}`,
    );
    const entries = messages.map((message) => ({ call, member: this, message, context }));
    world.kept.push(...entries);
    this.#actInCall(entries, call);
    const { behaviour } = world.scenario;
    const fails = !calm && random.chance(behaviour.fail);
    if (random.chance(behaviour.sync)) {
      world.note(() => `  ${where} ${fails ? "throws" : "returns"}`);
      world.checker.endCall(call, !fails);
      if (fails) throw new Error("Handler");
      return undefined;
    }
    return world.suspendCall(call, this);
  }

  #actInCall(entries: readonly KeptMessage[], call: SimCall): void {
    const world = this.#world;
    const { random, calm } = world;
    const { behaviour } = world.scenario;
    if (call.period.rules.manual && (calm || random.chance(0.4))) world.mark(entries.at(-1)!);
    if (calm) return;
    if (random.chance(behaviour.mark)) world.mark(random.pick(entries));
    const { partition } = call.period;
    if (random.chance(behaviour.pause)) world.pause(this, partition);
    if (random.chance(behaviour.seek)) world.seek(this, partition);
  }
}

export function nameOf({ topic, partition }: Lease): string {
  return `${topic}#${partition}`;
}

function describe({ messages }: SimCall): string {
  return messages.map(({ offset, key }) => `${offset}${key}`).join(" ");
}
