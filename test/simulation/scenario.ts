/** What one seed runs: topics, options, how handlers behave. */
import type { Random } from "./random.ts";

/** Options of a topic, as far as the checker must know them. */
export interface TopicRules {
  readonly form: "eachMessage" | "eachBatch" | "consumer";
  readonly distribution: "single" | "consistent" | "balanced" | "per-key";
  readonly maxPartitions: number;
  readonly maxMessages: number;
  readonly maxWaitMs: number;
  readonly manual: boolean;
  /** Some messages make the partitioner throw (P2). */
  readonly poison: boolean;
  readonly customReducer: boolean;
}

/** How handlers behave before the simulation calms down. */
export interface Behaviour {
  /** Calls that end in the same tick. */
  readonly sync: number;
  /** Calls that fail. */
  readonly fail: number;
  /** Calls that mark one of their messages themselves. */
  readonly mark: number;
  /** Calls that seek their own partition. */
  readonly seek: number;
  readonly pause: number;
}

export interface Scenario {
  readonly topics: ReadonlyMap<string, TopicRules>;
  readonly partitions: Readonly<Record<string, number>>;
  readonly members: number;
  readonly concurrency: number;
  readonly maxInFlightMessages: number;
  readonly maxUnmarkedMessages: number;
  readonly commitIntervalMs: number;
  readonly drainTimeoutMs: number;
  readonly keys: number;
  readonly steps: number;
  readonly behaviour: Behaviour;
}

/** Back-off of every topic: no jitter, so that the checker knows when a retry is due. */
export const RETRY = { backoffMs: 100, maxBackoffMs: 800, multiplier: 2, jitter: 0 } as const;

function topicRules(random: Random): TopicRules {
  const form = random.pick(["eachMessage", "eachBatch", "consumer"] as const);
  const distributions = ["single", "consistent", "balanced", "per-key"] as const;
  const distribution = random.pick(form === "consumer" ? distributions.slice(0, 3) : distributions);
  const manual = random.chance(0.3);
  const single = distribution === "single";
  return {
    form,
    distribution,
    maxPartitions: single ? 1 : random.integer(1, 4),
    maxMessages: random.integer(1, 4),
    maxWaitMs: form !== "eachMessage" && random.chance(0.3) ? 200 : 0,
    manual,
    // Collective marking across an ordered run has no virtual partition to go by.
    poison: !single && !manual && random.chance(0.2),
    customReducer: distribution === "consistent" && random.chance(0.3),
  };
}

/** Draws a scenario. */
export function drawScenario(random: Random): Scenario {
  const two = random.chance(0.3);
  const topics = new Map([["orders", topicRules(random)]]);
  if (two) topics.set("bills", topicRules(random));
  const partitions = { orders: two ? 1 : random.integer(1, 3), ...(two ? { bills: 1 } : {}) };
  return {
    topics,
    partitions,
    members: random.integer(1, 2),
    concurrency: random.integer(1, 5),
    maxInFlightMessages: random.integer(4, 16),
    maxUnmarkedMessages: random.pick([3, 8, 1000]),
    commitIntervalMs: random.pick([100, 300]),
    drainTimeoutMs: random.pick([0, 300, 1000]),
    keys: random.integer(1, 8),
    steps: random.integer(40, 120),
    behaviour: {
      sync: random.pick([0, 0.3, 0.7, 1]),
      fail: random.pick([0, 0.1, 0.3]),
      mark: random.pick([0, 0.2]),
      seek: random.chance(0.1) ? 0.02 : 0,
      pause: random.chance(0.2) ? 0.05 : 0,
    },
  };
}
