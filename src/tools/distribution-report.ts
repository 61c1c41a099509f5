import type { Placement, ResolvedAnalysis } from "./analysis-options.ts";
import { type DistributionStatistics, distributionStatistics } from "./distribution-statistics.ts";
import type { Distribution } from "./flow-model.ts";
import type { HotKey, KeyFacts, KeyProfile } from "./key-profile.ts";
import { choose, type PredictedSpeeds, type Prediction } from "./prediction.ts";
import type { OtherHash } from "./sample-placement.ts";
import {
  type Severity,
  severityOf,
  type Verdict,
  type VerdictCode,
  verdictsOf,
} from "./verdicts.ts";

/** What {@link analyzeDistribution} found. Plain data: it survives JSON. */
export interface DistributionReport extends DistributionStatistics {
  /** Messages per partition. */
  readonly counts: readonly number[];
  /** Messages. */
  readonly total: number;
  /** The headline: the code of the first of `verdicts`. */
  readonly verdict: VerdictCode;
  readonly verdicts: readonly [Verdict, ...Verdict[]];
  readonly severity: Severity;
  /** What decided where messages are; null when counts were given. */
  readonly placement: Placement | null;
  /** Of virtual partitions; else null. */
  readonly distribution: Distribution | null;
  /** null when counts were given without keys. */
  readonly keys: KeyFacts | null;
  /** The most frequent keys, most frequent first, 20 at most. */
  readonly hotKeys: readonly HotKey[];
  /** How even other hashes would be, for the same messages. */
  readonly otherHashes: readonly OtherHash[];
  /** Of virtual partitions; else null. */
  readonly prediction: Prediction | null;
}

/** What a report is made from. */
export interface ReportParts {
  readonly counts: readonly number[];
  /** The sketches; null: nothing is known of keys. A number: only how many there are. */
  readonly keys: KeyProfile | number | null;
  readonly others: readonly OtherHash[];
  readonly options: ResolvedAnalysis | null;
  readonly speeds: PredictedSpeeds | null;
}

/** Puts a report together. @param parts Counts are not all 0. */
export function reportOf({
  counts,
  keys,
  others,
  options,
  speeds,
}: ReportParts): DistributionReport {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const statistics = distributionStatistics(counts);
  const facts = factsOf(keys);
  const hotKeys = keys === null || typeof keys === "number" ? [] : keys.hotKeys(total);
  const placement = options?.placement ?? null;
  const distribution = placement === "virtual" ? options!.distribution : null;
  const verdicts = verdictsOf({
    counts,
    total,
    statistics,
    keys: facts,
    hottest: hotKeys[0] ?? null,
    others,
    placement,
    distribution,
  });
  const hotKey = verdicts.some(({ code }) => code === "hot-key");
  return {
    counts,
    total,
    ...statistics,
    verdict: verdicts[0].code,
    verdicts,
    severity: severityOf(statistics.imbalance),
    placement,
    distribution,
    keys: facts,
    hotKeys,
    otherHashes: others,
    prediction: speeds === null ? null : choose(speeds, hotKey),
  };
}

function factsOf(keys: ReportParts["keys"]): KeyFacts | null {
  if (keys === null) return null;
  if (typeof keys !== "number") return keys.facts();
  return { distinct: keys, exact: true, withoutKey: 0, maxError: 0, movedShare: null };
}
