import { resolveLogger } from "../logger.ts";
import { systemClock } from "../runtime/system-clock.ts";
import type { Sink, SourceFactory } from "../source/source.ts";
import type { Clock, Logger, Partitioning } from "../types.ts";
import { Validator } from "../validate.ts";
import {
  DEFAULT_DELIVERY,
  DELIVERY_KEYS,
  type DeliveryOptions,
  type ResolvedDelivery,
  resolveDelivery,
} from "./delivery.ts";
import { messagesKey } from "./messages-key.ts";

const check = new Validator("create a producer");
const OWN = ["sink", "partitioning", "linger", "maxBufferedBytes", "clock", "logger"];
const KNOWN = [...OWN, ...DELIVERY_KEYS];
const LINGER_KNOWN = ["ms", "maxMessages", "maxBytes"];

/** How long records of a partition wait for others to travel with: until the first limit is reached. */
export interface LingerOptions {
  /** Milliseconds from the first record on, 0 to 60,000; default 0: until the end of the current turn of JavaScript. */
  ms?: number;
  /**
   * Most records of a batch, 1 to 1,000,000; default 1000. Over the embedded log the records of one `produceMany` call
   * are never parted.
   */
  maxMessages?: number;
  /** Most bytes of a batch (key, value and headers + 64 per record), 1 to 2³⁰; default 1 MiB; the same exception. */
  maxBytes?: number;
}

/** {@link createProducer}'s options. */
export interface ProducerOptions extends DeliveryOptions {
  /** Where records go: `kafkajs({…})`, `log(directory)`, or any other factory with `sink()`. */
  sink: SourceFactory;
  /** Chooses the partition of records that name neither one nor a partitioning of their own; default `messagesKey()`. */
  partitioning?: Partitioning;
  linger?: LingerOptions;
  /**
   * Bytes of unacknowledged records above which `produce` waits and `produceAsync` throws, 1 to 2⁴⁰; default 32 MiB.
   */
  maxBufferedBytes?: number;
  /** For tests. */
  clock?: Clock;
  /** Where failures are told, beside the promises; default the console, false for none. */
  logger?: Logger | false;
}

/** The same with every default filled in. */
export interface ResolvedProducerOptions {
  readonly openSink: () => Sink;
  readonly partitioning: Partitioning;
  readonly linger: Readonly<Required<LingerOptions>>;
  readonly delivery: ResolvedDelivery;
  readonly maxBufferedBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** @throws {TypeError | RangeError} Naming the option, the rule and the value. */
export function resolveProducerOptions(options: ProducerOptions): ResolvedProducerOptions {
  check.knownKeys("createProducer", check.object("options", options), KNOWN);
  const factory = options.sink;
  check.callable("sink.sink", check.object("sink", factory).sink);
  const partitioning = options.partitioning ?? messagesKey();
  const { calculatePartitionId } = check.object("partitioning", partitioning);
  check.callable("partitioning.calculatePartitionId", calculatePartitionId);
  const linger = check.object("linger", options.linger ?? {});
  check.knownKeys("linger", linger, LINGER_KNOWN);
  const buffered = options.maxBufferedBytes;
  if (options.clock !== undefined) {
    check.callable("clock.setTimer", check.object("clock", options.clock).setTimer);
  }
  return {
    openSink: () => (factory.sink as () => Sink).call(factory),
    partitioning,
    linger: {
      ms: check.number("linger.ms", linger.ms, 0, 0, 60_000),
      maxMessages: check.integer("linger.maxMessages", linger.maxMessages, 1000, 1, 1_000_000),
      maxBytes: check.integer("linger.maxBytes", linger.maxBytes, 1 << 20, 1, 1 << 30),
    },
    delivery: resolveDelivery(check, { ...options }, DEFAULT_DELIVERY),
    maxBufferedBytes: check.integer("maxBufferedBytes", buffered, 32 << 20, 1, 2 ** 40),
    clock: options.clock ?? systemClock,
    logger: resolveLogger(check, options.logger),
  };
}
