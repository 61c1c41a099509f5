import { History, type ModelMemory } from "./model-memory.ts";
import type { Steps } from "./stepped-code.ts";

/** Something that a coroutine waits for. */
export class Wait {
  /** The word that it sleeps on; −1 for none. */
  readonly word: number;
  done = false;

  constructor(word: number) {
    this.word = word;
  }
}

/** What a coroutine asks the scheduler for. */
export type Request =
  | { readonly kind: "atomic"; readonly run: () => unknown }
  | { readonly kind: "await"; readonly wait: Wait }
  | { readonly kind: "block"; readonly wait: Wait };

interface Coroutine {
  readonly steps: Steps;
  request: Request;
}

/** A step that a thread may take next. */
export type Action = "step" | "resume" | "task" | "time out";

/** All that sleep on a word, in both threads. */
export type Waiters = Set<Wait>;

/**
 * One thread of the model: a main program and events of its event loop, one of which runs at a time, from `await` to
 * `await`, stopping before each atomic operation.
 */
export class ModelThread {
  readonly index: number;
  readonly history: History = new History();
  readonly memory: ModelMemory;
  readonly waiters: Waiters;
  /** Events that have not begun. */
  readonly tasks: (() => Steps)[] = [];
  #running: Coroutine | null = null;
  #parked: Coroutine | null = null;
  #blocked: Wait | null = null;
  finished = false;
  /** The fields of all its objects, as text. */
  state: () => string = () => "";
  /** What it last read in the word that says whether the other side is closed. */
  sawClosed = 0;

  readonly closedWord: number;

  /** @param closedWord Of the other side. */
  constructor(index: number, memory: ModelMemory, waiters: Waiters, closedWord: number) {
    this.closedWord = closedWord;
    this.index = index;
    this.memory = memory;
    this.waiters = waiters;
  }

  /** Begins the main program: up to its first atomic operation. */
  start(steps: Steps): void {
    this.#begin(steps);
  }

  actions(): readonly Action[] {
    if (this.#blocked !== null) return this.#blocked.done ? ["step"] : ["time out"];
    if (this.#running !== null) return ["step"];
    const actions: Action[] = [];
    const parked = this.#parked?.request;
    if (parked?.kind === "await" && parked.wait.done) actions.push("resume");
    if (this.tasks.length > 0) actions.push("task");
    return actions;
  }

  act(action: Action): void {
    this.history.add(action.length);
    if (action === "task") this.#begin(this.tasks.shift()!());
    else if (action === "resume") {
      const coroutine = this.#parked!;
      this.#parked = null;
      this.#advance(coroutine, undefined);
    } else this.#step(action);
  }

  #step(action: Action): void {
    const coroutine = this.#running!;
    const { request } = coroutine;
    if (request.kind === "atomic") {
      this.#advance(coroutine, request.run());
      return;
    }
    this.waiters.delete(this.#blocked!);
    this.#blocked = null;
    this.#advance(coroutine, action === "time out" ? "timed-out" : "ok");
  }

  /** Nothing runs in it: all that it will do follows from the fields of its objects. */
  get isIdle(): boolean {
    return this.#running === null;
  }

  /** What, beside its history, its next steps depend on. */
  get key(): string {
    return `${this.history.key},${this.actions().join()},${this.tasks.length}`;
  }

  #begin(steps: Steps): void {
    this.#advance({ steps, request: { kind: "atomic", run: () => undefined } }, undefined);
  }

  /** Runs a coroutine up to what it asks for next. */
  #advance(coroutine: Coroutine, value: unknown): void {
    const { done, value: request } = coroutine.steps.next(value);
    this.#running = null;
    if (done) {
      if (this.#parked === null) this.finished = true;
      return;
    }
    coroutine.request = request as Request;
    if (coroutine.request.kind === "await") this.#parked = coroutine;
    else this.#running = coroutine;
    this.#blocked = coroutine.request.kind === "block" ? coroutine.request.wait : null;
  }
}
