/** Listeners by event, and what happens when one of them throws. */
import { errorInfo } from "./errors.ts";
import type { Logger } from "./types.ts";

type Listener = (payload: never) => void;

/**
 * Calls listeners and keeps their errors away from who emits (X4).
 *
 * `M` has the payloads by event name. `has()` lets callers skip building a payload that nobody reads.
 */
export class Emitter<M extends object> {
  readonly #listeners = new Map<keyof M, Set<Listener>>();
  readonly #logger: Logger;
  readonly #reported = new WeakSet<object>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @returns A function that removes the listener. */
  on<E extends keyof M>(event: E, listener: (payload: M[E]) => void): () => void {
    let set = this.#listeners.get(event);
    if (set === undefined) {
      set = new Set();
      this.#listeners.set(event, set);
    }
    set.add(listener);
    return () => {
      set.delete(listener);
    };
  }

  has(event: keyof M): boolean {
    return (this.#listeners.get(event)?.size ?? 0) > 0;
  }

  emit<E extends keyof M>(event: E, payload: M[E]): void {
    const set = this.#listeners.get(event);
    if (set === undefined) return;
    for (const listener of [...set] as ((payload: M[E]) => void)[]) {
      try {
        listener(payload);
      } catch (error) {
        this.#report(event, listener, error);
      }
    }
  }

  /** A listener that throws is reported once, however often it is called. */
  #report(event: keyof M, listener: object, error: unknown): void {
    if (this.#reported.has(listener)) return;
    this.#reported.add(listener);
    this.#logger.error(`A listener of "${String(event)}" threw: ${errorInfo(error).message}`);
  }
}
