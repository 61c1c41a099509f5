/** One member of the group: a consumer whose handlers and whose border to the source the simulation controls. */
import { createConsumer } from "../../src/consumer.ts";
import type { Consumer } from "../../src/consumer-interface.ts";
import type { TopicOptions } from "../../src/options.ts";
import type { Clock, Message, MessageContext } from "../../src/types.ts";
import { Border } from "./border.ts";
import type { SimMember, SimResult } from "./checker.ts";
import { demand } from "./demand.ts";
import { Handlers } from "./handlers.ts";
import type { Period, SimCall } from "./period.ts";
import type { World } from "./world.ts";

/** A call whose promise has not settled. */
export interface PendingCall {
  readonly call: SimCall;
  readonly member: Member;
  settle(result: SimResult): void;
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

export class Member {
  readonly model: SimMember;
  readonly consumer: Consumer;
  readonly border: Border;
  readonly handlers: Handlers;
  dead = false;
  started = false;
  /** Its source has broken the contract: it must end with an InvariantError. */
  misled = false;
  readonly #world: World;

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
      askingTopics: 0,
    };
    this.border = new Border(world, this);
    this.handlers = new Handlers(world, this);
    const topics: Record<string, TopicOptions> = {};
    for (const [name, rules] of scenario.topics) {
      topics[name] = this.handlers.topicOptions(name, rules);
    }
    this.consumer = createConsumer({
      source: this.border.source(),
      groupId: world.groupId,
      topics,
      concurrency,
      maxInFlightMessages: scenario.maxInFlightMessages,
      maxUnmarkedMessages: scenario.maxUnmarkedMessages,
      commitIntervalMs: scenario.commitIntervalMs,
      drainTimeoutMs: scenario.drainTimeoutMs,
      offsetMap: scenario.offsetMap,
      maxMetadataLength: scenario.maxMetadataLength,
      onOutOfRange: scenario.onOutOfRange,
      fromBeginning: true,
      clock: this.#clock(),
      logger: false,
    });
    this.#listen();
  }

  /** What a lease in this member's hands looks like to the checker. */
  periods(): Period[] {
    return this.border.periods();
  }

  async start(): Promise<void> {
    await this.consumer.start();
    this.started = true;
  }

  close(): Promise<unknown> {
    const closed = this.consumer.close();
    this.draining();
    return closed;
  }

  /** It closes: nothing starts any more. */
  draining(): void {
    this.model.closing = true;
    for (const period of this.periods()) this.#world.checker.drain(period);
  }

  /** Its process is gone, with all that runs in it. */
  die(): void {
    this.dead = true;
    this.border.die();
    this.#world.checker.members.delete(this.model.index);
  }

  #listen(): void {
    const { guard, checker } = this.#world;
    this.consumer.on("error", ({ error, fatal }) => {
      if (!fatal || this.dead) return;
      const due = this.misled && error.code === "HEADRACE_INVARIANT";
      guard(() => demand(due, () => `fatal error: ${error.message}`));
    });
    this.consumer.on("skipped", (where) => {
      const period = checker.periodOf(this.model.index, this.#world.partition(where));
      const message = period?.messages.get(where.offset);
      if (this.dead || message?.state !== "undecided") return;
      guard(() => checker.failures.letterDone(period!, message, false));
    });
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
}
