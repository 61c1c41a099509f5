import { type ChannelLayout, channelLayout, channelMemory } from "../../../src/worker/control.ts";
import type { FrameReader } from "../../../src/worker/frame-reader.ts";
import { modelGlobals } from "./model-globals.ts";
import { type HistoryMark, ModelMemory } from "./model-memory.ts";
import { type Action, ModelThread, type Waiters } from "./model-thread.ts";
import {
  type Change,
  fieldsOf,
  type SteppedChannelEnd,
  type SteppedEnd,
  type Steps,
  steppedCode,
} from "./stepped-code.ts";

const FRAME_KIND = 3;

/** What one side does. Numbers are lengths of frames in words, two at least: its number, and that. */
export interface Script {
  /** Frames that it sends before it listens. */
  readonly first?: readonly number[];
  /** Frames that an event sends, at any time; one event per list. */
  readonly later?: readonly (readonly number[])[];
  /** Sends one back for each frame that comes, with the batch. */
  readonly answers?: boolean;
  /** Closes its end once so many frames have come. */
  readonly closesAfter?: number;
  /** Blocks its thread before it sleeps; the time may end or not. */
  readonly blocks?: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly polling: Script;
  readonly worker: Script;
  readonly byBell?: boolean;
  /** The worker may die at any moment. */
  readonly dies?: boolean;
}

const RING_BYTES = 64;

/** A side of the channel, its script and what it got. */
class Side {
  readonly thread: ModelThread;
  readonly script: Script;
  end!: SteppedChannelEnd;
  sent = 0;
  readonly received: number[] = [];
  #owed = 0;

  constructor(thread: ModelThread, script: Script) {
    this.thread = thread;
    this.script = script;
  }

  /** All that it will do follows from this while its thread is idle. */
  get state(): string {
    return `${fieldsOf(this.end)},${this.sent},${this.received.join()},${this.#owed}`;
  }

  *main(): Steps<void> {
    yield* this.sendAll(this.script.first ?? []);
    if (this.script.closesAfter === 0) yield* this.end.close();
    yield* this.end.listen({
      onFrame: this.onFrame,
      afterBatch: () => this.#answer(),
      ...(this.script.blocks && { blockMs: () => 1 }),
    });
  }

  /** The code that calls back has nothing in its variables but whether the other side is closed. */
  #restart(place: string): void {
    const { history, sawClosed } = this.thread;
    if (!history.isOff) history.restart(`${place},${sawClosed},${this.state}`);
  }

  *sendAll(lengths: readonly number[]): Steps<void> {
    for (const length of lengths) yield* this.#send(length);
    yield* this.end.flush();
  }

  readonly onFrame = (frame: FrameReader): Steps<void> | undefined => {
    const number = frame.u32();
    if (frame.kind !== FRAME_KIND) throw new Error(`frame ${number} has kind ${frame.kind}`);
    for (let left = frame.u32() - 2; left > 0; left--) {
      if (frame.u32() !== number) throw new Error(`frame ${number} is torn`);
    }
    this.received.push(number);
    if (this.script.answers) this.#owed++;
    this.#restart("frame");
    if (this.received.length === this.script.closesAfter) return this.end.close();
    return undefined;
  };

  *#answer(): Steps<void> {
    this.#restart("answer");
    for (; this.#owed > 0; this.#owed--) yield* this.#send(2);
  }

  *#send(length: number): Steps<void> {
    const number = this.sent++;
    const frame = yield* this.end.begin(FRAME_KIND);
    frame.u32(number);
    frame.u32(length);
    for (let word = 2; word < length; word++) frame.u32(number);
    yield* this.end.commit();
  }
}

/** The code that runs in the threads, and the threads of the world at hand, which it asks for. */
export interface Code {
  readonly ends: readonly [SteppedEnd, SteppedEnd];
  readonly threads: ModelThread[];
}

/** The code of the channel, with some places changed. */
export function loadCode(changes: readonly Change[] = []): Code {
  const threads: ModelThread[] = [];
  const globals = [modelGlobals(() => threads[0]!), modelGlobals(() => threads[1]!)] as const;
  return { ends: steppedCode(globals, changes), threads };
}

/** A choice of the scheduler. */
export type Choice = readonly [thread: number, action: Action] | "the worker dies";

export type Histories = readonly [HistoryMark, HistoryMark];

/** Two threads with a channel between them. */
export class World {
  readonly #memory: ModelMemory;
  readonly #waiters: Waiters = new Set();
  readonly #sides: readonly [Side, Side];
  readonly #scenario: Scenario;
  /** As the polling thread sees it. */
  readonly #layout: ChannelLayout;
  #dead = false;

  constructor(scenario: Scenario, code: Code) {
    this.#scenario = scenario;
    const shared = channelMemory(RING_BYTES, 0);
    const layouts = [channelLayout(shared, "polling"), channelLayout(shared, "worker")] as const;
    this.#layout = layouts[0];
    this.#memory = new ModelMemory(shared, layouts[0].outStart);
    const side = (index: 0 | 1, script: Script): Side => {
      const thread = new ModelThread(
        index,
        this.#memory,
        this.#waiters,
        layouts[index].other.closed,
      );
      code.threads[index] = thread;
      const made = new Side(thread, script);
      const views = this.#memory.viewsOf(index, thread.history);
      const options = { sleepsByBell: scenario.byBell ?? false, ring: () => this.#ring(1 - index) };
      made.end = new code.ends[index](views, layouts[index], options);
      thread.state = () => made.state;
      for (const lengths of script.later ?? []) thread.tasks.push(() => made.sendAll(lengths));
      return made;
    };
    this.#sides = [side(0, scenario.polling), side(1, scenario.worker)];
    this.#memory.started = true;
    for (const side of this.#sides) side.thread.start(side.main());
  }

  /** A message to the other side, which its event loop delivers. */
  #ring(to: number): void {
    const side = this.#sides[to]!;
    side.thread.tasks.push(() => side.end.rung());
  }

  choices(): Choice[] {
    const choices: Choice[] = [];
    for (const { thread } of this.#sides) {
      if (this.#dead && thread.index === 1) continue;
      for (const action of thread.actions()) choices.push([thread.index, action]);
    }
    if (this.#scenario.dies && !this.#dead && !this.#sides[1].thread.finished) {
      choices.push("the worker dies");
    }
    return choices;
  }

  take(choice: Choice): void {
    if (choice !== "the worker dies") {
      const side = this.#sides[choice[0]]!;
      side.thread.act(choice[1]);
      const { isIdle, history } = side.thread;
      if (isIdle && !history.isOff) history.restart(side.state);
      return;
    }
    this.#dead = true;
    const { end, onFrame, thread } = this.#sides[0];
    thread.tasks.push(function* (): Steps<void> {
      yield* end.read(onFrame);
      yield* end.abandon();
    });
  }

  get histories(): Histories {
    return [this.#sides[0].thread.history.mark, this.#sides[1].thread.history.mark];
  }

  /** Takes choices that were taken before, and knows what they come to. */
  repeat(choices: readonly number[], histories: Histories): void {
    const threads = this.#sides.map(({ thread }) => thread);
    for (const { history } of threads) history.isOff = true;
    for (const choice of choices) this.take(this.choices()[choice]!);
    for (const { index, history } of threads) {
      history.isOff = false;
      history.return(histories[index]!);
    }
  }

  /** Two worlds with the same key go on alike. */
  get key(): string {
    const [polling, worker] = this.#sides;
    return `${polling.thread.key};${worker.thread.key};${this.#dead};${this.#memory.key}`;
  }

  /** Nothing can happen any more. @throws {Error} That says what is wrong with that. */
  check(): void {
    const [polling, worker] = this.#sides;
    if (!polling.thread.finished) throw new Error("the polling thread sleeps for ever");
    if (!worker.thread.finished && !this.#dead) throw new Error("the worker sleeps for ever");
    this.#checkFrames(polling, worker);
    this.#checkFrames(worker, polling);
    const { ints } = this.#memory;
    // The other way round frames may stay: nobody reads those for a dead worker, or behind a side that was closed.
    const [head, tail] = [this.#layout.other.head, this.#layout.own.tail];
    if (this.#dead && ints[head] !== ints[tail]) throw new Error("frames of the dead worker stay");
  }

  #checkFrames(to: Side, from: Side): void {
    const inOrder = to.received.every((number, at) => number === at);
    if (!inOrder) throw new Error(`frames came as ${to.received.join()}`);
    // Whoever closes does not wait for the rest; what a dead worker has not shown is lost with it.
    const isSure = !this.#dead && from.script.closesAfter !== undefined;
    if (!isSure || to.received.length === from.sent) return;
    throw new Error(`${to.received.length} of ${from.sent} frames came`);
  }
}
