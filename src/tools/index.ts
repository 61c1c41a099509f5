/** Tools to decide how to partition: `import { analyzeDistribution, planPartitions } from "headrace/tools"`. */
export type {
  AnalysisOptions,
  Placement,
  PlacementHash,
  SampleKey,
  SampleMessage,
} from "./analysis-options.ts";
export {
  analyzeDistribution,
  type CountedDistribution,
  DistributionAnalysis,
  type SampledDistribution,
} from "./analyze-distribution.ts";
export type { DistributionReport } from "./distribution-report.ts";
export type { DistributionStatistics } from "./distribution-statistics.ts";
export type { Distribution } from "./flow-model.ts";
export type { HotKey, KeyFacts } from "./key-profile.ts";
export { movedKeyShare } from "./moved-keys.ts";
export type { PlanOptions } from "./plan-options.ts";
export { type PartitionPlan, type PlanBytes, planPartitions } from "./plan-partitions.ts";
export type { PlanWarning, PlanWarningCode } from "./plan-warnings.ts";
export type { PredictedSpeed, Prediction } from "./prediction.ts";
export { keyText, percent } from "./report-text.ts";
export type { OtherHash } from "./sample-placement.ts";
export type { Severity, Verdict, VerdictCode } from "./verdicts.ts";
