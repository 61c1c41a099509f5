/** Tools to decide how to partition: `import { planPartitions } from "headrace/tools"`. */
export { movedKeyShare } from "./moved-key-share.ts";
export { percent } from "./percent.ts";
export type { PlanOptions } from "./plan-options.ts";
export { type PartitionPlan, type PlanBytes, planPartitions } from "./plan-partitions.ts";
export type { PlanWarning, PlanWarningCode } from "./plan-warnings.ts";
