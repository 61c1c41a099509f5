/** What happens in a consumer, for its users to watch. */
import { type ErrorInfo, errorInfo } from "./errors.ts";
import type { Explanation } from "./stats.ts";
import type { Logger, TopicPartition } from "./types.ts";

interface OffsetRange extends TopicPartition {
  /** Messages that the event is about. */
  readonly count: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
}

/** Payloads by event name: plain, JSON-able objects (H4: per batch or slice, never per message). */
export interface ConsumerEvents {
  assigned: TopicPartition & { readonly offset: number; readonly offsetMetadata: string | null };
  revoked: TopicPartition & { readonly offset: number };
  lost: TopicPartition & { readonly offset: number };
  polled: OffsetRange;
  distributed: OffsetRange & { readonly lanes: number };
  scheduled: TopicPartition & { readonly virtualPartition: number };
  processed: OffsetRange;
  failed: TopicPartition & {
    readonly offset: number;
    readonly virtualPartition: number;
    readonly attempt: number;
    readonly collapsed: boolean;
    readonly error: ErrorInfo;
  };
  /** `until` is exclusive. */
  collapsed: TopicPartition & { readonly until: number };
  expanded: TopicPartition;
  deadLettered: TopicPartition & { readonly offset: number; readonly target: string };
  skipped: TopicPartition & { readonly offset: number };
  marked: OffsetRange;
  committed: TopicPartition & { readonly offset: number; readonly mapSize: number };
  offsetReset: TopicPartition & {
    readonly from: number;
    readonly to: number;
    readonly reason: string;
  };
  partitionerFailed: TopicPartition & {
    readonly offset: number;
    readonly error: ErrorInfo;
    readonly value?: unknown;
  };
  keyBound: TopicPartition & { readonly share: number };
  stalled: TopicPartition & { readonly kind: string; readonly explanation: Explanation };
  paused: TopicPartition;
  resumed: TopicPartition;
  drained: { readonly drained: number; readonly abandoned: number };
  closed: Record<string, never>;
  error: { readonly error: ErrorInfo; readonly fatal: boolean };
}

export type ConsumerEventName = keyof ConsumerEvents;
type Listener<E extends ConsumerEventName> = (payload: ConsumerEvents[E]) => void;

/**
 * Calls listeners and keeps their errors away from the pipeline (X4).
 *
 * `has()` lets callers skip building a payload that nobody reads.
 */
export class Events {
  readonly #listeners = new Map<ConsumerEventName, Set<Listener<never>>>();
  readonly #logger: Logger;
  readonly #reported = new WeakSet<object>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @returns A function that removes the listener. */
  on<E extends ConsumerEventName>(event: E, listener: Listener<E>): () => void {
    let set = this.#listeners.get(event);
    if (set === undefined) {
      set = new Set();
      this.#listeners.set(event, set);
    }
    set.add(listener as Listener<never>);
    return () => {
      set.delete(listener as Listener<never>);
    };
  }

  has(event: ConsumerEventName): boolean {
    return (this.#listeners.get(event)?.size ?? 0) > 0;
  }

  emit<E extends ConsumerEventName>(event: E, payload: ConsumerEvents[E]): void {
    const set = this.#listeners.get(event);
    if (set === undefined || set.size === 0) {
      if (event === "error") this.#log(payload as ConsumerEvents["error"]);
      return;
    }
    for (const listener of [...set] as Listener<E>[]) {
      try {
        listener(payload);
      } catch (error) {
        this.#report(event, listener, error);
      }
    }
  }

  #log({ error, fatal }: ConsumerEvents["error"]): void {
    this.#logger.error(`${fatal ? "Fatal: " : ""}${error.message}`, error);
  }

  /** A listener that throws is reported once, however often it is called. */
  #report(event: string, listener: object, error: unknown): void {
    if (this.#reported.has(listener)) return;
    this.#reported.add(listener);
    this.#logger.error(`A listener of "${event}" threw: ${errorInfo(error).message}`);
  }
}
