import type { Partitioning } from "../types.ts";
import { show, Validator } from "../validate.ts";

const check = new Validator("partition by weight");
/** Sums of weights stay exact below this. */
const MAX_WEIGHT = 1e9;

interface Share {
  readonly partition: number;
  readonly weight: number;
}

/** Weights of one topic's partitions and how far each is ahead. */
class SmoothTurns {
  readonly #shares: readonly Share[];
  readonly #total: number;
  readonly #credits: Float64Array;

  constructor(shares: readonly Share[]) {
    this.#shares = shares;
    this.#total = shares.reduce((sum, { weight }) => sum + weight, 0);
    this.#credits = new Float64Array(shares.length);
  }

  next(): number {
    const [shares, credits] = [this.#shares, this.#credits];
    let best = 0;
    for (let i = 0; i < shares.length; i++) {
      credits[i]! += shares[i]!.weight;
      if (credits[i]! > credits[best]!) best = i;
    }
    credits[best]! -= this.#total;
    return shares[best]!.partition;
  }
}

/**
 * Shares of the records by weight, whatever the key: `weighted({ 0: 3, 1: 1 })` gives partition 0 three of four.
 * Partitions that are not named get nothing.
 *
 * Smooth weighted round robin, as nginx spreads requests: the turns of a heavy partition are spread, not in a row.
 *
 * @param weights By partition: from 0 to 10⁹, one of them above 0.
 * @throws {TypeError | RangeError} Naming the partition or weight. A partition that the topic lacks fails the record.
 */
export function weighted(weights: Readonly<Record<number, number>>): Partitioning {
  const shares = Object.entries(check.object("weights", weights)).map(([name, weight]): Share => {
    const partition = Number(name);
    if (!/^\d+$/.test(name) || partition > 0x7fffffff) {
      throw check.rangeError("a partition must be an integer >= 0", name);
    }
    if (typeof weight !== "number") {
      throw check.typeError(`weights[${name}] must be a number`, weight);
    }
    return { partition, weight: check.number(`weights[${name}]`, weight, 0, 0, MAX_WEIGHT) };
  });
  const used = shares.filter(({ weight }) => weight > 0);
  if (used.length === 0) throw check.rangeError("a weight must be above 0", weights);
  const highest = Math.max(...used.map(({ partition }) => partition));
  const topics = new Map<string, SmoothTurns>();
  return {
    calculatePartitionId: (topic, _record, partitionCount) => {
      if (highest >= partitionCount) throw lacking(topic, highest, partitionCount);
      let turns = topics.get(topic);
      if (turns === undefined) {
        turns = new SmoothTurns(used);
        topics.set(topic, turns);
      }
      return turns.next();
    },
  };
}

/** Not one record in some: all of them, so that it is noticed. */
function lacking(topic: string, partition: number, partitionCount: number): RangeError {
  const rule = `${topic} has ${show(partitionCount)} partitions and each that has a weight must exist`;
  return check.rangeError(rule, partition);
}
