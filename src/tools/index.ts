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
  type SampledDistribution,
} from "./analyze-distribution.ts";
export { DistributionAnalysis } from "./distribution-analysis.ts";
export type { DistributionReport } from "./distribution-report.ts";
export type { DistributionStatistics } from "./distribution-statistics.ts";
export type { Distribution } from "./flow-model.ts";
export type { HotKey } from "./hot-key.ts";
export type { KeyFacts } from "./key-profile.ts";
export { keyText } from "./key-text.ts";
export { movedKeyShare } from "./moved-key-share.ts";
export { percent } from "./percent.ts";
export type { PlanOptions } from "./plan-options.ts";
export { type PartitionPlan, type PlanBytes, planPartitions } from "./plan-partitions.ts";
export type { PlanWarning, PlanWarningCode } from "./plan-warnings.ts";
export type { PredictedSpeed, Prediction } from "./prediction.ts";
export type { OtherHash } from "./sample-placement.ts";
export type { Severity, Verdict, VerdictCode } from "./verdict.ts";
