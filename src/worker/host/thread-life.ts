import { WorkerError } from "../../errors.ts";
import type { WorkerThread } from "../../options.ts";
import type { Clock, TimerHandle } from "../../types.ts";
import { errorFromText } from "../error-text.ts";
import type { BootMessage, ModuleForm, ThreadMessage } from "../frames.ts";

/** Longest time from the start of a thread until its modules are loaded. */
const LOAD_MS = 30_000;

/** Whom the life of a thread concerns. */
export interface ThreadLifeListener {
  /** Its modules are loaded; the channel may be used. */
  ready(modules: readonly ModuleForm[]): void;
  /** It is about to end; what it runs may still go on for a moment. */
  ending(): void;
  /** It runs no more, and never did if `ready` has not come. Once, and the last of all. */
  ended(error: WorkerError): void;
  bell(): void;
}

/**
 * The life of one worker thread: hello, boot, ready, end. These few things go by message.
 *
 * A thread that has thrown is not dead yet: `ended` comes when nothing of it can run any more.
 */
export class ThreadLife {
  readonly #thread: WorkerThread;
  readonly #boot: BootMessage;
  readonly #listener: ThreadLifeListener;
  readonly #clock: Clock;
  readonly #timer: TimerHandle;
  #isReady = false;
  #hasEnded = false;
  #cause: WorkerError | null = null;

  constructor(thread: WorkerThread, boot: BootMessage, clock: Clock, listener: ThreadLifeListener) {
    this.#thread = thread;
    this.#boot = boot;
    this.#clock = clock;
    this.#listener = listener;
    this.#timer = clock.setTimer(() => this.end(tooSlow()), LOAD_MS);
    thread.on("message", (message) => this.#received(message as ThreadMessage));
    thread.on("error", (error) => this.end(crash(error)));
    thread.on("exit", (code) => this.#ended(exit(code)));
  }

  post(message: unknown): void {
    this.#thread.postMessage(message);
  }

  /**
   * Ends the thread, whatever runs in it.
   *
   * @param error Why; the first reason counts.
   */
  end(error: WorkerError): void {
    if (this.#cause !== null || this.#hasEnded) return;
    this.#cause = error;
    this.#listener.ending();
    // Whoever closes must not be kept waiting by a thread that takes its time.
    this.#thread.unref();
    Promise.resolve(this.#thread.terminate()).then(
      () => this.#ended(error),
      (cause: unknown) => this.#ended(new WorkerError(error.message, { code: error.code, cause })),
    );
  }

  #received(message: ThreadMessage): void {
    if (this.#cause !== null) return;
    if (message.headrace === "hello") this.post(this.#boot);
    else if (message.headrace === "bell") this.#listener.bell();
    else if (message.headrace === "refused") this.end(refusal(message.error));
    else if (message.headrace === "ready") {
      this.#clock.clearTimer(this.#timer);
      this.#isReady = true;
      this.#listener.ready(message.modules);
    }
  }

  #ended(error: WorkerError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#clock.clearTimer(this.#timer);
    const cause = this.#cause ?? error;
    this.#listener.ended(this.#isReady ? cause : neverReady(cause));
  }
}

/** The error that the thread has made itself of its module. */
function refusal(text: string): WorkerError {
  const error = errorFromText(text);
  if (error instanceof WorkerError) return error;
  return new WorkerError(`Cannot load a module as it failed: received ${String(error)}`, {
    code: "HEADRACE_WORKER_LOAD",
    cause: error,
  });
}

function neverReady(error: WorkerError): WorkerError {
  if (error.code === "HEADRACE_WORKER_LOAD") return error;
  const message = `Cannot start a worker thread as it must load its modules first: ${error.message}`;
  return new WorkerError(message, { code: "HEADRACE_WORKER_LOAD", cause: error });
}

function tooSlow(): WorkerError {
  const rule = `it must load its modules within ${LOAD_MS / 1000} s`;
  return new WorkerError(`Cannot start a worker thread as ${rule}: received no answer`, {
    code: "HEADRACE_WORKER_LOAD",
  });
}

function crash(cause: unknown): WorkerError {
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  const why = typeof message === "string" ? message : String(cause);
  const outOfMemory = code === "ERR_WORKER_OUT_OF_MEMORY";
  const rule = outOfMemory
    ? "a worker thread must stay within its memory"
    : "a worker thread must not throw outside of a handler";
  return new WorkerError(`Cannot go on as ${rule}: received ${why}`, {
    code: outOfMemory ? "HEADRACE_WORKER_OUT_OF_MEMORY" : "HEADRACE_WORKER_CRASH",
    cause,
  });
}

function exit(code: number): WorkerError {
  const rule = "a worker thread must not end by itself";
  return new WorkerError(`Cannot go on as ${rule}: received exit code ${code}`, {
    code: "HEADRACE_WORKER_EXIT",
  });
}
