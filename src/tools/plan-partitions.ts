import { type PlanOptions, type ResolvedPlan, resolvePlan } from "./plan-options.ts";
import { type PlanWarning, planWarnings } from "./plan-warnings.ts";

/** Room for rounding errors of a quotient that should be whole: 3 × 0.1 × 10 is 3, not 3.0000000000000004. */
const DUST = 1e-9;

/** What the partitions guide of Apache Iggy proposes for a peak: lower bounds, in messages per second. */
const BANDS = [
  { below: 1000, name: "1–3", from: 1, to: 3 },
  { below: 10_000, name: "3–10", from: 3, to: 10 },
  { below: 100_000, name: "10–30", from: 10, to: 30 },
  { below: Number.POSITIVE_INFINITY, name: "30–100+", from: 30, to: Number.POSITIVE_INFINITY },
] as const;

/** What is stored, if messages came at the peak rate all the time: an upper bound. Bytes. */
export interface PlanBytes {
  /** Bytes per second of the topic. */
  readonly perSecond: number;
  /** Bytes per second of one of the required partitions. */
  readonly perPartitionPerSecond: number;
  /** Of the topic, one copy of it; with `retentionMs`. */
  readonly retained?: number;
  /** Of one partition; with `retentionMs`. */
  readonly retainedPerPartition?: number;
  /** Milliseconds until a segment of a partition is full, null without traffic; with `segmentBytes`. */
  readonly segmentFillMs?: number | null;
  /** Segment files of one partition; with `retentionMs` and `segmentBytes`. */
  readonly segmentsPerPartition?: number;
}

/** The answer of {@link planPartitions}. */
export interface PartitionPlan {
  /** Partitions to have: the largest of the three, rounded up. Virtual ones with `handlerMs`. */
  readonly required: number;
  /** Partitions that the rate needs. */
  readonly throughput: number;
  /** Members that will read at once. */
  readonly consumers: number;
  /** With `handlerMs`: the option `maxPartitions` of the topic, the same as `required`. */
  readonly maxPartitions?: number;
  /** What is usual for such a peak, and whether the answer lies in it. It changes nothing. */
  readonly band: { readonly name: string; readonly inside: boolean };
  readonly warnings: readonly PlanWarning[];
  /** With `messageBytes`. */
  readonly bytes?: PlanBytes;
}

/**
 * How many partitions a topic needs, or with `handlerMs` how many virtual partitions a partition needs.
 *
 * ```text
 * throughput = max(1, ceil(peak × buffer / perPartition))
 * consumers  = max(maxConsumers, ceil(peak / perConsumer))
 * required   = max(throughput, consumers, minAvailability), up to the next multiple of roundToConsumers
 * ```
 *
 * @throws {TypeError | RangeError} For a wrong option, naming it, the rule and the value: rates must be finite and
 *   above 0, the peak may be 0.
 * @example
 * planPartitions({ peak: 50_000 }).required; // 15
 */
export function planPartitions(options: PlanOptions): PartitionPlan {
  const plan = resolvePlan(options);
  const throughput = Math.max(1, ceil((plan.peak * plan.buffer) / plan.perPartition));
  const consumers = Math.max(
    plan.maxConsumers,
    plan.perConsumer === undefined ? 1 : ceil(plan.peak / plan.perConsumer),
  );
  const least = Math.max(throughput, consumers, plan.minAvailability);
  const required = Math.ceil(least / plan.roundToConsumers) * plan.roundToConsumers;
  const band = BANDS.find(({ below }) => plan.peak < below)!;
  return {
    required,
    throughput,
    consumers,
    ...(plan.handlerMs === undefined ? {} : { maxPartitions: required }),
    band: { name: band.name, inside: required >= band.from && required <= band.to },
    warnings: planWarnings(plan, { required, consumers }),
    ...bytesOf(plan, required),
  };
}

function ceil(value: number): number {
  return Math.ceil(value - DUST);
}

function bytesOf(plan: ResolvedPlan, required: number): { bytes?: PlanBytes } {
  const { peak, messageBytes, retentionMs, segmentBytes } = plan;
  if (messageBytes === undefined) return {};
  const perSecond = peak * messageBytes;
  const perPartitionPerSecond = perSecond / required;
  const retained = retentionMs === undefined ? undefined : (perSecond * retentionMs) / 1000;
  return {
    bytes: {
      perSecond,
      perPartitionPerSecond,
      ...(retained === undefined ? {} : { retained, retainedPerPartition: retained / required }),
      ...(segmentBytes === undefined
        ? {}
        : { segmentFillMs: peak === 0 ? null : (segmentBytes / perPartitionPerSecond) * 1000 }),
      ...(retained === undefined || segmentBytes === undefined
        ? {}
        : { segmentsPerPartition: Math.max(1, ceil(retained / required / segmentBytes)) }),
    },
  };
}
