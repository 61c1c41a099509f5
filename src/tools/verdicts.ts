import type { Placement } from "./analysis-options.ts";
import type { DistributionStatistics } from "./distribution-statistics.ts";
import type { Distribution } from "./flow-model.ts";
import type { HotKey, KeyFacts } from "./key-profile.ts";
import { keyText, percent } from "./report-text.ts";
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
/** Messages per partition below which counts say little. */
const MESSAGES_PER_PARTITION = 100;
/** Keys per partition below which hashing cannot be even. */
const KEYS_PER_PARTITION = 10;
/** Room above a hot key's share of partitions: the other keys need some, too. */
const SALT_ROOM = 1.5;

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
function isBalanced({ counts, total, statistics, keys }: Evidence): boolean {
  const partitions = counts.length;
  if (partitions > 1 && Math.max(...counts) === total) return false;
  // Of unknown keys there are at most as many as messages: the bound that forgives least.
  const distinct = keys === null || keys.distinct === 0 ? total : keys.distinct;
  return statistics.imbalance <= balancedBound(partitions, distinct);
}

/** Everything that applies; the first is the headline. Never empty. */
export function verdictsOf(evidence: Evidence): readonly [Verdict, ...Verdict[]] {
  const [headline, ...rest] = [
    insufficientData(evidence),
    balanced(evidence),
    allOnePartition(evidence),
    hotKey(evidence),
    lowCardinality(evidence),
    hashArtefact(evidence),
    keyMoved(evidence),
    noKey(evidence),
  ].filter((verdict) => verdict !== null);
  return headline === undefined ? [skewed(evidence)] : [headline, ...rest];
}

/** How partitions are called. */
function noun({ placement }: Evidence, count = 2): string {
  const one = placement === "virtual" ? "virtual partition" : "partition";
  return count === 1 ? one : `${one}s`;
}

function times(imbalance: number): string {
  return `${imbalance.toFixed(2)} × the mean`;
}

function insufficientData(evidence: Evidence): Verdict | null {
  const { total, counts } = evidence;
  const needed = MESSAGES_PER_PARTITION * counts.length;
  if (total >= needed) return null;
  const message =
    `too few messages to judge: ${total} for ${counts.length} ${noun(evidence, counts.length)}; ` +
    `take at least ${needed}`;
  return { code: "insufficient-data", message };
}

function balanced(evidence: Evidence): Verdict | null {
  if (!isBalanced(evidence)) return null;
  const busiest = times(evidence.statistics.imbalance);
  const message =
    evidence.counts.length === 1
      ? `there is one ${noun(evidence, 1)}: nothing to balance`
      : `balanced: the busiest ${noun(evidence, 1)} has ${busiest}; nothing to do`;
  return { code: "balanced", message };
}

function allOnePartition(evidence: Evidence): Verdict | null {
  const { counts, total, keys, statistics } = evidence;
  const partition = counts.indexOf(total);
  if (counts.length === 1 || partition === -1 || isBalanced(evidence)) return null;
  const where = `all messages are in ${noun(evidence, 1)} ${partition} of ${counts.length}`;
  const next =
    keys === null
      ? "look at their keys"
      : keys.distinct === 0
        ? "none has a key, so give them keys"
        : keys.distinct === 1
          ? "they have one key, so take a finer one or salt it"
          : "their keys differ, so look at the partitioner";
  const message = `${where} (${statistics.empty} are empty): ${next}`;
  return { code: "all-one-partition", message };
}

function hotKey(evidence: Evidence): Verdict | null {
  const { counts, hottest, distribution } = evidence;
  const partitions = counts.length;
  if (hottest === null || partitions === 1 || hottest.share <= 1 / partitions) return null;
  if (isBalanced(evidence)) return null;
  const { share, error, count } = hottest;
  const salts = Math.min(partitions, Math.ceil(share * partitions * SALT_ROOM));
  const salted = `salt it ${salts} ways`;
  const next =
    distribution === "per-key"
      ? `its messages wait for each other whatever is chosen, so ${salted} if its order may go`
      : `${salted} or use per-key`;
  const about = error > 0 ? ` (± ${percent(error / count)} of that)` : "";
  const message = `hot key ${keyText(hottest)} has ${percent(share)}${about}: ${next}`;
  return { code: "hot-key", message, key: hottest.key, share, salts };
}

function lowCardinality(evidence: Evidence): Verdict | null {
  const { counts, keys } = evidence;
  const partitions = counts.length;
  if (keys === null || keys.distinct === 0 || partitions === 1) return null;
  if (keys.distinct >= KEYS_PER_PARTITION * partitions) return null;
  const message =
    `${keys.distinct} ${keys.distinct === 1 ? "key" : "different keys"} for ${partitions} ` +
    `${noun(evidence)}: hashing is even from ${KEYS_PER_PARTITION * partitions} keys on, ` +
    "so take a finer key or fewer of them";
  return { code: "low-cardinality", message };
}

function hashArtefact(evidence: Evidence): Verdict | null {
  const { counts, keys, others, statistics, placement } = evidence;
  if (keys === null || keys.distinct === 0 || isBalanced(evidence)) return null;
  const bound = balancedBound(counts.length, keys.distinct);
  const [best] = others
    .filter(({ imbalance }) => imbalance <= bound)
    .sort((a, b) => a.imbalance - b.imbalance);
  if (best === undefined) return null;
  const next = placement === "virtual" ? "choose that reducer" : "let producers use that hash";
  const message =
    `the keys are fine and their hash is not: with ${best.hash} the busiest ` +
    `${noun(evidence, 1)} has ${times(best.imbalance)} instead of ` +
    `${times(statistics.imbalance)}, so ${next}`;
  return { code: "hash-artefact", message, hash: best.hash };
}

function keyMoved({ keys }: Evidence): Verdict | null {
  if (keys === null || keys.movedShare === null || keys.movedShare === 0) return null;
  const message =
    `${percent(keys.movedShare)} of the keys lie in more than one partition, so their order ` +
    "is not kept: was the partition count changed, or do producers place keys differently?";
  return { code: "key-moved", message, share: keys.movedShare };
}

function noKey({ keys, total, counts, placement }: Evidence): Verdict | null {
  const share = keys === null ? 0 : keys.withoutKey / total;
  if (share === 0 || share * counts.length <= 1) return null;
  const next =
    placement === "virtual"
      ? 'they count as one key, so give them keys or use `byKey({ missing: "spread" })`'
      : "they are spread, and no order holds among them; give them keys if it should";
  return {
    code: "no-key",
    message: `${percent(share)} of the messages have no key: ${next}`,
    share,
  };
}

function skewed(evidence: Evidence): Verdict {
  const { statistics, counts, keys } = evidence;
  const partition = counts.indexOf(Math.max(...counts));
  const next =
    keys === null
      ? "analyze a sample with keys to see why"
      : "several frequent keys meet there, so try another count, balanced or per-key";
  const message =
    `${noun(evidence, 1)} ${partition} has ${times(statistics.imbalance)} ` +
    `and no single key is the reason: ${next}`;
  return { code: "skewed", message };
}
