import type { Placement } from "./analysis-options.ts";
import type { DistributionStatistics } from "./distribution-statistics.ts";
import type { Distribution } from "./flow-model.ts";
import type { HotKey } from "./hot-key.ts";
import type { KeyFacts } from "./key-profile.ts";
import type { OtherHash } from "./sample-placement.ts";

/** What can be said about a distribution, in the order in which the first that applies is the headline. */
export type VerdictCode =
  | "insufficient-data"
  | "balanced"
  | "all-one-partition"
  | "hot-key"
  | "low-cardinality"
  | "hash-artefact"
  | "key-moved"
  | "no-key"
  | "skewed";

/** Something that is so, and what to do next. */
export interface Verdict {
  readonly code: VerdictCode;
  /** Both in one line of plain words. */
  readonly message: string;
  /** `hot-key`: the key, its share, and how many salts spread it. */
  readonly key?: string | null;
  readonly share?: number;
  readonly salts?: number;
  /** `hash-artefact`: the hash that does better. */
  readonly hash?: OtherHash["hash"];
}

/** How bad the imbalance is: up to 1.25, 2, 3, and above. */
export type Severity = "ok" | "watch" | "warn" | "critical";

/** Everything that verdicts are made from. */
export interface Evidence {
  readonly counts: readonly number[];
  readonly total: number;
  readonly statistics: DistributionStatistics;
  /** null: nothing is known of the keys. */
  readonly keys: KeyFacts | null;
  readonly hottest: HotKey | null;
  readonly others: readonly OtherHash[];
  /** null: only counts are known. */
  readonly placement: Placement | null;
  readonly distribution: Distribution | null;
}

/** Imbalance up to which a distribution is fine whatever the number of keys. */
const OK = 1.25;
const WATCH = 2;
const WARN = 3;

/** @param imbalance At least 1. */
export function severityOf(imbalance: number): Severity {
  if (imbalance <= OK) return "ok";
  if (imbalance <= WATCH) return "watch";
  return imbalance <= WARN ? "warn" : "critical";
}

/**
 * Imbalance that chance alone explains: the fullest of N bins among K equally frequent keys is about
 * 1 + √(2 ln N · N / K) times the mean (Raab and Steger, "Balls into Bins", 1998).
 *
 * Never above 2: what severity warns of is not called balanced.
 */
export function balancedBound(partitions: number, distinctKeys: number): number {
  const chance = 1 + Math.sqrt((2 * Math.log(partitions) * partitions) / distinctKeys);
  return Math.min(WATCH, Math.max(OK, chance));
}

/** Whether nothing needs to be done. All in one of several partitions never is. */
export function isBalanced({ counts, total, statistics, keys }: Evidence): boolean {
  const partitions = counts.length;
  if (partitions > 1 && Math.max(...counts) === total) return false;
  // Of unknown keys there are at most as many as messages: the bound that forgives least.
  const distinct = keys === null || keys.distinct === 0 ? total : keys.distinct;
  return statistics.imbalance <= balancedBound(partitions, distinct);
}
