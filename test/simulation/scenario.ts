/** What one seed runs: topics, options, how handlers behave. */
import type { Random } from "./random.ts";

/** A dead letter queue as a topic has it. */
export interface QueueRules {
  readonly topic: string | false;
  readonly maxRetries: number;
  readonly independent: boolean;
  /** Decides in place of `maxRetries`. */
  readonly strategy: boolean;
}

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
  readonly onError: "collapse" | "isolate";
  readonly queue: QueueRules | null;
  readonly exactText: boolean;
}

/** How handlers behave before the simulation calms down: how many of their calls do what. */
export interface Behaviour {
  /** Calls that end in the same tick. */
  readonly sync: number;
  /** Calls that fail. */
  readonly fail: number;
  /** Calls that ask for their messages again (E6). */
  readonly redeliver: number;
  /** Calls that mark one of their messages themselves. */
  readonly mark: number;
  /** Marks that bring a text, and calls that set one (O7). */
  readonly text: number;
  /** Calls that seek their own partition. */
  readonly seek: number;
  /** Calls that pause their own partition: for good, or for a while. */
  readonly pause: number;
  readonly collapse: number;
  readonly synchronize: number;
  readonly deadLetter: number;
  /** Sends to a dead letter topic that have to wait, or fail. */
  readonly slowLetters: number;
  readonly badLetters: number;
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
  readonly offsetMap: "dense" | "ascii" | "off";
  readonly maxMetadataLength: number;
  /** What the broker really accepts. */
  readonly brokerMetadataLength: number;
  readonly onOutOfRange: "earliest" | "latest";
  readonly keys: number;
  /** Messages that always fail. */
  readonly toxic: number;
  readonly steps: number;
  readonly behaviour: Behaviour;
}

/** Back-off of every topic: no jitter, so that the checker knows when a retry is due. */
export const RETRY = { backoffMs: 100, maxBackoffMs: 800, multiplier: 2, jitter: 0 } as const;
/** Topics that dead letters go to. */
export const LETTER_TOPICS: Readonly<Record<string, number>> = { dead: 2, elsewhere: 1 };

function queueRules(random: Random, collapses: boolean): QueueRules | null {
  if (!random.chance(0.5)) return null;
  return {
    topic: random.chance(0.2) ? false : "dead",
    maxRetries: random.integer(collapses ? 1 : 0, 3),
    independent: random.chance(0.3),
    strategy: random.chance(0.3),
  };
}

function topicRules(random: Random): TopicRules {
  const form = random.pick(["eachMessage", "eachBatch", "consumer"] as const);
  const distributions = ["single", "consistent", "balanced", "per-key"] as const;
  const distribution = random.pick(form === "consumer" ? distributions.slice(0, 3) : distributions);
  const manual = random.chance(0.3);
  const single = distribution === "single";
  const onError = random.pick(["collapse", "isolate"] as const);
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
    onError,
    queue: queueRules(random, onError === "collapse"),
    exactText: !single && random.chance(0.5),
  };
}

function behaviour(random: Random): Behaviour {
  return {
    sync: random.pick([0, 0.3, 0.7, 1]),
    fail: random.pick([0, 0.1, 0.3]),
    redeliver: random.chance(0.2) ? 0.1 : 0,
    mark: random.pick([0, 0.2]),
    text: random.pick([0, 0, 0.3]),
    seek: random.chance(0.1) ? 0.02 : 0,
    pause: random.chance(0.2) ? 0.05 : 0,
    collapse: random.chance(0.2) ? 0.05 : 0,
    synchronize: random.chance(0.1) ? 0.2 : 0,
    deadLetter: random.chance(0.2) ? 0.1 : 0,
    slowLetters: random.pick([0, 0.5, 1]),
    badLetters: random.pick([0, 0.2, 0.5]),
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
    offsetMap: random.pick(["dense", "dense", "dense", "ascii", "off"] as const),
    maxMetadataLength: random.pick([4096, 128]),
    brokerMetadataLength: random.pick([4096, 4096, 4096, 100, 40, 25, 20, 0]),
    onOutOfRange: random.pick(["earliest", "latest"] as const),
    keys: random.integer(1, 8),
    toxic: random.pick([0, 0, 0.05, 0.15]),
    steps: random.integer(40, 120),
    behaviour: behaviour(random),
  };
}
