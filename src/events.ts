/** What happens in a consumer, for its users to watch. */
import { Emitter } from "./emitter.ts";
import type { ErrorInfo } from "./errors.ts";
import type { Explanation } from "./stats.ts";
import type { Logger, SegmentInfo, TopicPartition } from "./types.ts";

/** Where something happened; with parallel segments also in which of them. */
export interface EventPlace extends TopicPartition, Partial<EventGroup> {}

/** The group of a segment. */
export interface EventGroup {
  readonly groupId: string;
  readonly segment: SegmentInfo;
}

interface OffsetRange extends EventPlace {
  /** Messages that the event is about. */
  readonly count: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
}

/** Payloads by event name: plain, JSON-able objects (H4: per batch or slice, never per message). */
export interface ConsumerEvents {
  assigned: EventPlace & { readonly offset: number; readonly offsetMetadata: string | null };
  revoked: EventPlace & { readonly offset: number };
  lost: EventPlace & { readonly offset: number };
  polled: OffsetRange;
  distributed: OffsetRange & { readonly lanes: number };
  scheduled: EventPlace & { readonly virtualPartition: number };
  processed: OffsetRange;
  failed: EventPlace & {
    readonly offset: number;
    readonly virtualPartition: number;
    readonly attempt: number;
    readonly collapsed: boolean;
    readonly error: ErrorInfo;
  };
  /** `until` is exclusive. */
  collapsed: EventPlace & { readonly until: number };
  expanded: EventPlace;
  deadLettered: EventPlace & { readonly offset: number; readonly target: string };
  skipped: EventPlace & { readonly offset: number };
  marked: OffsetRange;
  committed: EventPlace & { readonly offset: number; readonly mapSize: number };
  offsetReset: EventPlace & {
    readonly from: number;
    readonly to: number;
    readonly reason: string;
  };
  partitionerFailed: EventPlace & {
    readonly offset: number;
    readonly error: ErrorInfo;
    readonly value?: unknown;
  };
  /** Everything up to `offset`, the end of the log, was polled and its calls have ended; once per position. */
  idle: EventPlace & { readonly offset: number };
  keyBound: EventPlace & { readonly share: number };
  stalled: EventPlace & { readonly kind: string; readonly explanation: Explanation };
  paused: EventPlace;
  resumed: EventPlace;
  drained: Partial<EventGroup> & { readonly drained: number; readonly abandoned: number };
  closed: Record<string, never>;
  error: { readonly error: ErrorInfo; readonly fatal: boolean };
}

export type ConsumerEventName = keyof ConsumerEvents;

/** {@link Emitter} of a consumer: an error that nobody listens to is logged. */
export class Events extends Emitter<ConsumerEvents> {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    super(logger);
    this.#logger = logger;
  }

  /** The same listeners; what is emitted there says of which group it is. */
  with(group: EventGroup): Events {
    return new GroupEvents(this, group, this.#logger);
  }

  override emit<E extends ConsumerEventName>(event: E, payload: ConsumerEvents[E]): void {
    if (event === "error" && !this.has(event)) {
      const { error, fatal } = payload as ConsumerEvents["error"];
      this.#logger.error(`${fatal ? "Fatal: " : ""}${error.message}`, error);
    }
    super.emit(event, payload);
  }
}

/** Events of one group of several. */
class GroupEvents extends Events {
  readonly #all: Events;
  readonly #group: EventGroup;

  constructor(all: Events, group: EventGroup, logger: Logger) {
    super(logger);
    this.#all = all;
    this.#group = group;
  }

  override has(event: ConsumerEventName): boolean {
    return this.#all.has(event);
  }

  override emit<E extends ConsumerEventName>(event: E, payload: ConsumerEvents[E]): void {
    this.#all.emit(event, { ...payload, ...this.#group });
  }
}
