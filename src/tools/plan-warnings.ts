import { MAX_VIRTUAL_PARTITIONS } from "../resolve-topic.ts";
import { movedKeyShare } from "./moved-keys.ts";
import type { ResolvedPlan } from "./plan-options.ts";
import { percent } from "./report-text.ts";

/** What {@link PlanWarning} can be about. */
export type PlanWarningCode =
  | "single-partition"
  | "too-many"
  | "idle-consumers"
  | "uneven-consumers"
  | "key-bound"
  | "hot-key-bound"
  | "count-change"
  | "hourly-unused";

/** Something that a plan should be changed for, or be known with it. */
export interface PlanWarning {
  readonly code: PlanWarningCode;
  /** What is so, and what can be done. */
  readonly message: string;
}

/** Partitions above which brokers, rebalances and open files begin to cost. */
const MANY_PARTITIONS = 100;
const HOURS = 24;

/** What is decided when warnings are looked for. */
export interface PlannedCounts {
  readonly required: number;
  readonly consumers: number;
}

/** Everything that should be said about a plan, in the order of the codes. */
export function planWarnings(plan: ResolvedPlan, counts: PlannedCounts): PlanWarning[] {
  const virtual = plan.handlerMs !== undefined;
  const warnings = virtual
    ? [tooManyVirtual(counts), keyBound(plan, counts), hotKeyBound(plan)]
    : [
        singlePartition(counts),
        tooMany(counts),
        idleConsumers(plan, counts),
        unevenConsumers(counts),
        keyBound(plan, counts),
        hotKeyBound(plan),
        countChange(plan, counts),
        hourlyUnused(plan, counts),
      ];
  return warnings.filter((warning) => warning !== null);
}

function singlePartition({ required }: PlannedCounts): PlanWarning | null {
  if (required > 1) return null;
  const message =
    "one partition is read by one member of a group, and a second one moves keys: " +
    "start with 3 unless the order of all messages matters";
  return { code: "single-partition", message };
}

function tooMany({ required }: PlannedCounts): PlanWarning | null {
  if (required <= MANY_PARTITIONS) return null;
  const message =
    `${required} partitions cost open files, memory and long rebalances on brokers: ` +
    "several topics, or virtual partitions inside fewer partitions, may be cheaper";
  return { code: "too-many", message };
}

function tooManyVirtual({ required }: PlannedCounts): PlanWarning | null {
  if (required <= MAX_VIRTUAL_PARTITIONS) return null;
  const message =
    `a partition can have ${MAX_VIRTUAL_PARTITIONS} virtual partitions, not ${required}: ` +
    "make the handler faster, or spread the messages over more partitions";
  return { code: "too-many", message };
}

function idleConsumers(
  { currentPartitions }: ResolvedPlan,
  { consumers }: PlannedCounts,
): PlanWarning | null {
  if (currentPartitions === undefined || currentPartitions >= consumers) return null;
  const idle = consumers - currentPartitions;
  const message =
    `with ${currentPartitions} partitions ${idle} of ${consumers} members get nothing: ` +
    "add partitions, or use virtual partitions in fewer members";
  return { code: "idle-consumers", message };
}

function unevenConsumers({ required, consumers }: PlannedCounts): PlanWarning | null {
  if (required % consumers === 0) return null;
  const share = Math.floor(required / consumers);
  const message =
    `${required} partitions over ${consumers} members: ${required % consumers} of them get ` +
    `${share + 1}, the others ${share}; roundToConsumers ${consumers} makes it even`;
  return { code: "uneven-consumers", message };
}

function keyBound({ keys, handlerMs }: ResolvedPlan, counts: PlannedCounts): PlanWarning | null {
  if (keys === undefined || counts.required <= keys) return null;
  const what = handlerMs === undefined ? "partitions" : "virtual partitions";
  const message =
    `${keys} keys cannot fill ${counts.required} ${what}: a key goes to one of them, ` +
    "so take a finer key, or salt the keys";
  return { code: "key-bound", message };
}

function hotKeyBound(plan: ResolvedPlan): PlanWarning | null {
  const { hottestKeyShare, peak, perPartition, handlerMs } = plan;
  if (hottestKeyShare === undefined || hottestKeyShare * peak <= perPartition) return null;
  const salts = Math.ceil((hottestKeyShare * peak * plan.buffer) / perPartition);
  const what = handlerMs === undefined ? "partition" : "virtual partition";
  const message =
    `the hottest key has ${percent(hottestKeyShare)}, ${Math.round(hottestKeyShare * peak)} ` +
    `messages/s, which is more than one ${what} handles: no count helps; salt it ${salts} ways`;
  return { code: "hot-key-bound", message };
}

function countChange(
  { currentPartitions }: ResolvedPlan,
  { required }: PlannedCounts,
): PlanWarning | null {
  if (currentPartitions === undefined || currentPartitions === required) return null;
  const moved = percent(movedKeyShare(currentPartitions, required));
  const message =
    required < currentPartitions
      ? `the topic has ${currentPartitions} partitions already, and their number cannot shrink`
      : `going from ${currentPartitions} to ${required} partitions moves ${moved} of the keys: ` +
        "their order holds only if everything before the change is handled first";
  return { code: "count-change", message };
}

function hourlyUnused({ hourly }: ResolvedPlan, { required }: PlannedCounts): PlanWarning | null {
  if (!hourly || required <= HOURS) return null;
  const message =
    `hours fill ${HOURS} partitions, one at a time: ${required - HOURS} of ${required} ` +
    "would never be used";
  return { code: "hourly-unused", message };
}
