import { Validator } from "../validate.ts";

/** What {@link planPartitions} is asked. Rates are messages per second. */
export interface PlanOptions {
  /** Messages per second at the busiest time, 0…10¹². For virtual partitions: of one partition. */
  readonly peak: number;
  /** Messages per second that one partition is good for, > 0. Default 5000. */
  readonly perPartition?: number;
  /** How much more than the peak is planned for, 1…1000. Default 1.5. */
  readonly buffer?: number;
  /** Most members that will ever read at once, 1…1,000,000. Default 1. */
  readonly maxConsumers?: number;
  /** Messages per second that one member handles, > 0. Default: it does not bound the count. */
  readonly perConsumer?: number;
  /** Least partitions, so that work goes on while some are away, 1…1,000,000. Default 1. */
  readonly minAvailability?: number;
  /** The count becomes a multiple of this, so that as many members have equal shares, 1…1,000,000. */
  readonly roundToConsumers?: number;
  /** Bytes of one message as stored, > 0: the answer has `bytes`. */
  readonly messageBytes?: number;
  /** Milliseconds that messages are kept, > 0; needs `messageBytes`. */
  readonly retentionMs?: number;
  /** Bytes of one segment file, > 0; needs `messageBytes`. */
  readonly segmentBytes?: number;
  /**
   * Milliseconds that the handler takes for one message, > 0: asks for virtual partitions instead. One is then good
   * for 1000 / handlerMs messages per second, and the answer has `maxPartitions`. Excludes `perPartition`.
   */
  readonly handlerMs?: number;
  /** Distinct keys, 1…10¹⁵, for the warning `key-bound`. */
  readonly keys?: number;
  /** Share of the messages that the hottest key has, 0…1, for the warning `hot-key-bound`. */
  readonly hottestKeyShare?: number;
  /** Partitions that the topic has now, 1…1,000,000, for the warnings `count-change` and `idle-consumers`. */
  readonly currentPartitions?: number;
  /** Messages are placed by the hour of their time, for the warning `hourly-unused`. Default false. */
  readonly hourly?: boolean;
}

/** With every default filled in; undefined where there is none. */
export interface ResolvedPlan {
  readonly peak: number;
  readonly perPartition: number;
  readonly buffer: number;
  readonly maxConsumers: number;
  readonly perConsumer: number | undefined;
  readonly minAvailability: number;
  readonly roundToConsumers: number;
  readonly messageBytes: number | undefined;
  readonly retentionMs: number | undefined;
  readonly segmentBytes: number | undefined;
  readonly handlerMs: number | undefined;
  readonly keys: number | undefined;
  readonly hottestKeyShare: number | undefined;
  readonly currentPartitions: number | undefined;
  readonly hourly: boolean;
}

/** Messages per second of one partition, as the partitions guide of Apache Iggy counts it. */
const PER_PARTITION = 5000;
const BUFFER = 1.5;
const MAX_BUFFER = 1000;
const MAX_RATE = 1e12;
const MAX_COUNT = 1_000_000;
const MAX_KEYS = 1e15;

const NAMES = [
  ...["peak", "perPartition", "buffer", "maxConsumers", "perConsumer", "minAvailability"],
  ...["roundToConsumers", "messageBytes", "retentionMs", "segmentBytes", "handlerMs"],
  ...["keys", "hottestKeyShare", "currentPartitions", "hourly"],
] as const;

const check = new Validator("plan partitions");

/** Checks the options of a plan. @throws {TypeError | RangeError} Naming the option, the rule and the value. */
export function resolvePlan(options: unknown): ResolvedPlan {
  const given = check.object("options", options) as unknown as PlanOptions;
  check.knownKeys("options", given, NAMES);
  if (given.peak === undefined) throw check.typeError("peak must be a number", undefined);
  const handlerMs = positive("handlerMs", given.handlerMs);
  if (handlerMs !== undefined && given.perPartition !== undefined) {
    throw check.typeError("one of perPartition and handlerMs is given", "both");
  }
  const messageBytes = positive("messageBytes", given.messageBytes);
  for (const name of ["retentionMs", "segmentBytes"] as const) {
    if (given[name] === undefined || messageBytes !== undefined) continue;
    throw check.typeError(`${name} needs messageBytes`, given[name]);
  }
  const perPartition = positive("perPartition", given.perPartition) ?? PER_PARTITION;
  return {
    peak: check.number("peak", given.peak, 0, 0, MAX_RATE),
    perPartition: handlerMs === undefined ? perPartition : 1000 / handlerMs,
    buffer: check.number("buffer", given.buffer, BUFFER, 1, MAX_BUFFER),
    maxConsumers: check.integer("maxConsumers", given.maxConsumers, 1, 1, MAX_COUNT),
    perConsumer: positive("perConsumer", given.perConsumer),
    minAvailability: check.integer("minAvailability", given.minAvailability, 1, 1, MAX_COUNT),
    roundToConsumers: check.integer("roundToConsumers", given.roundToConsumers, 1, 1, MAX_COUNT),
    messageBytes,
    retentionMs: positive("retentionMs", given.retentionMs),
    segmentBytes: positive("segmentBytes", given.segmentBytes),
    handlerMs,
    keys: optional(given.keys, (keys) => check.integer("keys", keys, 1, 1, MAX_KEYS)),
    hottestKeyShare: optional(given.hottestKeyShare, (share) =>
      check.number("hottestKeyShare", share, 0, 0, 1),
    ),
    currentPartitions: optional(given.currentPartitions, (count) =>
      check.integer("currentPartitions", count, 1, 1, MAX_COUNT),
    ),
    hourly: check.bool("hourly", given.hourly, false),
  };
}

function optional<T>(value: T | undefined, checked: (value: T) => T): T | undefined {
  return value === undefined ? undefined : checked(value);
}

function positive(name: string, value: number | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number") throw check.typeError(`${name} must be a number`, value);
  if (value > 0 && Number.isFinite(value)) return value;
  throw check.rangeError(`${name} must be a finite number above 0`, value);
}
