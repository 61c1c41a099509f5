/** The handlers of one member: what they do and how they end is drawn, and told to the checker. */
import { Redeliver } from "../../src/errors.ts";
import type { DeadLetterQueueOptions, TopicOptions } from "../../src/options.ts";
import type { Batch, Message, MessageContext, VirtualPartitionConsumer } from "../../src/types.ts";
import type { SimResult } from "./checker.ts";
import { demand } from "./demand.ts";
import { BY_HANDLER } from "./letters.ts";
import type { KeptMessage, Member } from "./member.ts";
import type { Period, SimCall } from "./period.ts";
import { type QueueRules, RETRY, type TopicRules } from "./scenario.ts";
import { rawAnswer } from "./strategy.ts";
import type { World } from "./world.ts";

type Answer = undefined | Promise<void>;

export class Handlers {
  readonly #world: World;
  readonly #member: Member;

  constructor(world: World, member: Member) {
    this.#world = world;
    this.#member = member;
  }

  topicOptions(name: string, rules: TopicRules): TopicOptions {
    const { form, distribution, maxPartitions, poison, customReducer, exactText } = rules;
    const partitioner = (message: Message): string | null => {
      if (message.text() === "poison") throw new Error("Poison");
      return message.keyText();
    };
    const reducer = (key: unknown, count: number): number => String(key).length % count;
    const virtual = {
      distribution: distribution as "consistent",
      maxPartitions,
      offsetMetadataStrategy: exactText ? ("exact" as const) : ("current" as const),
      ...(poison ? { partitioner } : {}),
      ...(customReducer ? { reducer } : {}),
    };
    const common = {
      maxMessages: rules.maxMessages,
      maxWaitMs: rules.maxWaitMs,
      acknowledge: rules.manual ? ("manual" as const) : ("automatic" as const),
      retry: RETRY,
      onError: rules.onError,
      ...(rules.queue === null ? {} : { deadLetterQueue: this.#queueOptions(rules.queue) }),
      ...(distribution === "single" ? {} : { virtualPartitions: virtual }),
    };
    if (form === "eachMessage") {
      return {
        ...common,
        eachMessage: (message, context) => this.#handle(name, [message], context),
      };
    }
    const eachBatch = (batch: Batch): Answer => this.#handle(name, batch.messages, batch);
    if (form === "eachBatch") return { ...common, eachBatch };
    return { ...common, consumer: () => this.#instance(eachBatch) };
  }

  #queueOptions(queue: QueueRules): DeadLetterQueueOptions {
    const { topic, maxRetries, independent } = queue;
    const strategy: DeadLetterQueueOptions["strategy"] = (failure) => {
      const { offset, attempt } = failure;
      const answer = rawAnswer(offset, attempt, failure.dispatchError !== undefined);
      if (answer === "throw") throw new Error("Strategy");
      return answer === "elsewhere" ? { dispatch: "elsewhere" } : (answer as "retry");
    };
    return { topic, maxRetries, independent, ...(queue.strategy ? { strategy } : {}) };
  }

  /** C1 and C3: an instance serves one period; its flush marks what it was handed. */
  #instance(consume: (batch: Batch) => Answer): VirtualPartitionConsumer {
    const member = this.#member;
    const world = this.#world;
    let last: Batch | null = null;
    let period: Period | null = null;
    return {
      consume: (batch) => {
        last = batch;
        const result = consume(batch);
        if (member.dead || world.broken) return result;
        const now = world.lastCall!.period;
        world.guard(() => demand((period ?? now) === now, () => "C2: an instance lives on"));
        period = now;
        return result;
      },
      flush: () => {
        const { random, kept } = world;
        const message = last?.messages.at(-1);
        const one = kept.find((entry) => entry.message === message);
        if (member.dead || one === undefined || !random.chance(0.5)) return;
        world.note(() => `  m${member.model.index} flushes`);
        world.mark(one);
      },
    };
  }

  #handle(topic: string, messages: readonly Message[], context: MessageContext): Answer {
    const world = this.#world;
    const member = this.#member;
    // After a violation nothing goes on: a call that failed with it would be retried for ever.
    if (member.dead || world.broken) return new Promise<void>(() => {});
    const partition = world.partition({ topic, partition: messages[0]!.partition });
    const offsets = messages.map((message) => message.offset);
    const call = world.guard(() =>
      world.checker.startCall(member.model, partition, offsets, context),
    );
    world.lastCall = call;
    const where = `m${member.model.index} #${call.id}`;
    const { virtualPartition, attempt } = context;
    world.note(
      () => `  ${where} ${partition.name}/${virtualPartition} ${describe(call)} attempt ${attempt}`,
    );
    const entries = messages.map((message) => ({ call, member, message, context }));
    world.kept.push(...entries);
    this.#actInCall(entries, call);
    if (!world.random.chance(world.scenario.behaviour.sync)) {
      return world.suspendCall(call, member, context) as Answer;
    }
    const result = this.drawResult(call);
    world.note(() => `  ${where} ${result === "ok" ? "returns" : `throws ${say(result)}`}`);
    world.checker.endCall(call, result);
    if (result !== "ok") throw errorOf(result);
    return undefined;
  }

  /** How a call ends. */
  drawResult(call: SimCall): SimResult {
    const { random, calm, scenario } = this.#world;
    const { fail, redeliver } = scenario.behaviour;
    const toxic = call.messages.some((one) => one.toxic);
    if (toxic && (!calm || call.period.rules.queue !== null)) return "failed";
    if (calm) return "ok";
    if (random.chance(fail)) return "failed";
    if (!random.chance(redeliver)) return "ok";
    const pauseMs = random.pick([0, 100, 400]);
    const collapses = random.chance(0.4);
    return { pauseMs, collapseUntil: collapses ? this.#nearOffset(call) : null };
  }

  /** An offset not far from what a call has: passed, open, or still to come. */
  #nearOffset({ messages }: SimCall): number {
    return Math.max(0, messages[0]!.offset + this.#world.random.integer(-2, 6));
  }

  #actInCall(entries: readonly KeptMessage[], call: SimCall): void {
    const world = this.#world;
    const { random, calm } = world;
    const { behaviour } = world.scenario;
    const { period } = call;
    if (period.rules.manual && (calm || random.chance(0.4))) world.mark(entries.at(-1)!);
    if (calm) return;
    if (random.chance(behaviour.mark)) world.mark(random.pick(entries));
    if (random.chance(behaviour.text / 2)) this.#setText(entries.at(-1)!);
    if (random.chance(behaviour.collapse)) this.#collapse(entries[0]!);
    if (random.chance(behaviour.synchronize)) this.#synchronize(entries[0]!);
    if (random.chance(behaviour.deadLetter)) this.#deadLetter(random.pick(entries));
    if (random.chance(behaviour.pause)) this.#pause(entries[0]!);
    if (random.chance(behaviour.seek)) world.seek(this.#member, period.partition);
  }

  #setText({ call, message, context }: KeptMessage): void {
    const text = this.#world.drawText();
    this.#world.note(() => `  sets text ${text} at ${message.offset}`);
    call.period.texts.attach(message.offset, text);
    context.setOffsetMetadata(text);
  }

  #collapse({ call, context }: KeptMessage): void {
    const offset = this.#nearOffset(call);
    this.#world.note(() => `  collapses until ${offset}`);
    this.#world.checker.collapseUntil(call.period, offset);
    context.collapseUntil(offset);
  }

  #pause({ call, context }: KeptMessage): void {
    const { random, checker } = this.#world;
    if (random.chance(0.3)) {
      this.#world.pause(this.#member, call.period.partition);
      return;
    }
    const ms = random.pick([1, 50, 300, 2000]);
    this.#world.note(() => `  pauses for ${ms} ms`);
    checker.pauseFor(call.period, ms);
    context.pause(ms);
  }

  /** C4: nobody else is inside before the lock is given back. */
  #synchronize({ call, context }: KeptMessage): void {
    const world = this.#world;
    const { name } = call.period.partition;
    const inside = (): Promise<void> | void => {
      if (this.#member.dead) return;
      world.guard(() => demand(!world.locked.has(name), () => `C4: two are inside of ${name}`));
      world.locked.add(name);
      const leave = (): void => void world.locked.delete(name);
      if (world.calm) return leave();
      return new Promise<void>((resolve) => world.locks.push(resolve)).then(leave);
    };
    world.ignore(context.synchronize(inside));
  }

  #deadLetter({ call, message, context }: KeptMessage): void {
    const world = this.#world;
    const { period } = call;
    const { queue } = period.rules;
    if (queue === null) return;
    const model = call.messages.find((one) => one.offset === message.offset)!;
    world.note(() => `  dead-letters ${message.offset}`);
    model.handlerLetters++;
    if (queue.topic === false) period.markDone(model);
    context.deadLetter(message, BY_HANDLER).then(
      () => {
        model.handlerLetters--;
        const done = model.done || period.state === "ended";
        world.expect(done, `Q6: ${model.offset} counts as dead-lettered`);
      },
      (error: Error) => {
        model.handlerLetters--;
        world.expect(
          period.state === "ended",
          `Q6: deadLetter() of a live lease: ${error.message}`,
        );
      },
    );
  }
}

/** What a handler throws. */
export function errorOf(result: SimResult): Error {
  if (typeof result === "string") return new Error("Handler");
  const { pauseMs, collapseUntil } = result;
  return new Redeliver({ pauseMs, ...(collapseUntil === null ? {} : { collapseUntil }) });
}

/** How a result reads in a trace. */
export function say(result: SimResult): string {
  return typeof result === "string" ? result : `redeliver ${JSON.stringify(result)}`;
}

function describe({ messages }: SimCall): string {
  return messages.map(({ offset, key, toxic }) => `${offset}${key}${toxic ? "!" : ""}`).join(" ");
}
