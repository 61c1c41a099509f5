/** Dead letter topics under the simulation's control: slow ones, failing ones, and whose letters come. */
import { SourceError } from "../../src/errors.ts";
import type { Sink, SinkBatch, SinkOutcome, SinkRecord } from "../../src/source/source.ts";
import { demand } from "./demand.ts";
import type { Member } from "./member.ts";
import type { Period, SimMessage } from "./period.ts";
import type { World } from "./world.ts";

/** What `context.deadLetter()` gives as the reason. */
export const BY_HANDLER = "by its handler";

type Answer = "stored" | "failed" | "hopeless";

/** Something that waits for an answer. */
interface Waiting {
  readonly member: Member;
  readonly go: () => void;
}

export class Letters {
  readonly #world: World;
  #waiting: Waiting[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** A sink of one member's process. */
  sink(member: Member, inner: Sink): Sink {
    return {
      open: () => inner.open(),
      partitionCount: async (topic) => {
        if (member.started && this.#isSlow()) {
          member.model.askingTopics++;
          await this.#wait(member);
          member.model.askingTopics--;
        }
        return inner.partitionCount(topic);
      },
      send: (batches) => this.#send(member, inner, batches),
      close: () => inner.close(),
    };
  }

  /** One of them is answered. @returns Whether there was one. */
  answerOne(): boolean {
    const { random } = this.#world;
    const waiting = this.#waiting;
    if (waiting.length === 0) return false;
    waiting.splice(random.integer(0, waiting.length - 1), 1)[0]!.go();
    return true;
  }

  answerAll(): void {
    for (const { go } of this.#waiting.splice(0)) go();
  }

  forget(member: Member): void {
    this.#waiting = this.#waiting.filter((one) => one.member !== member);
  }

  #isSlow(): boolean {
    const { calm, random, scenario } = this.#world;
    return !calm && random.chance(scenario.behaviour.slowLetters / 2);
  }

  #wait(member: Member): Promise<void> {
    return new Promise((go) => this.#waiting.push({ member, go }));
  }

  async #send(
    member: Member,
    inner: Sink,
    batches: readonly SinkBatch[],
  ): Promise<readonly SinkOutcome[]> {
    const world = this.#world;
    if (member.dead) return new Promise(() => {});
    const record = batches[0]!.records[0]!;
    const letter = world.guard(() => this.#sent(member, record, batches[0]!.topic));
    if (this.#isSlow()) await this.#wait(member);
    if (member.dead) return new Promise(() => {});
    const answer = this.#drawAnswer();
    // The broker may have stored what it does not acknowledge.
    const stores = answer === "stored" || world.random.chance(0.3);
    const outcomes = stores ? await inner.send(batches) : [];
    world.note(() => `  m${member.model.index} letter ${letter.message.offset} is ${answer}`);
    world.guard(() => this.#answered(letter, answer));
    if (answer === "stored") return outcomes;
    const retriable = answer === "failed";
    return [{ error: new SourceError("Cannot write as planned", { retriable }) }];
  }

  #drawAnswer(): Answer {
    const { calm, random, scenario } = this.#world;
    if (calm || !random.chance(scenario.behaviour.badLetters)) return "stored";
    return random.chance(0.6) ? "failed" : "hopeless";
  }

  /** Q6: a letter leaves under a lease that has not ended. */
  #sent(member: Member, record: SinkRecord, topic: string): Letter {
    const world = this.#world;
    const source = headerOf(record, "headrace-source-topic");
    const partition = Number(headerOf(record, "headrace-source-partition"));
    const offset = Number(headerOf(record, "headrace-source-offset"));
    const where = world.partition({ topic: source, partition });
    const byHandler = headerOf(record, "headrace-error-message") === BY_HANDLER;
    const { index } = member.model;
    world.note(() => `  m${index} sends ${where.name} ${offset} to ${topic}`);
    const period = world.checker.periodOf(index, where);
    demand(period !== undefined, () => `Q6: ${where.name} ${offset} is dispatched without a lease`);
    const message = period.messages.get(offset);
    demand(message !== undefined, () => `Q6: ${where.name} ${offset} was never delivered`);
    if (byHandler) {
      const asked = message.handlerLetters > 0;
      demand(asked, () => `Q6: no handler has dead-lettered ${where.name} ${offset}`);
    } else {
      const attempts = Number(headerOf(record, "headrace-attempts"));
      const { failures } = message;
      demand(
        attempts === failures,
        () => `Q3: ${offset} after ${attempts} of ${failures} attempts`,
      );
      world.checker.failures.sent(period, message);
    }
    return { period, message, byHandler };
  }

  #answered({ period, message, byHandler }: Letter, answer: Answer): void {
    const { checker } = this.#world;
    if (!byHandler) checker.failures.answered(period, message, answer);
    else if (answer === "stored" && period.state !== "ended") {
      period.markDone(message);
      checker.failures.unsure(period, period.laneOf(message));
    }
    if (period.state !== "ended") checker.settleCollapse(period);
  }
}

interface Letter {
  readonly period: Period;
  readonly message: SimMessage;
  readonly byHandler: boolean;
}

const decoder = new TextDecoder();

function headerOf({ headers }: SinkRecord, name: string): string {
  const found = headers.find(([known]) => known === name);
  return found === undefined ? "" : decoder.decode(found[1]);
}
