/** One run with a message that does not end for a while, and what was seen each second. */
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { type Consumer, createConsumer } from "../../src/index.ts";
import { decodeMetadata } from "../../src/metadata/decode-metadata.ts";
import { BackgroundProducer } from "./background-producer.ts";
import { checkedHandler, evenWork, RunChecker } from "./check.ts";
import { client, deletingTopic, makeTopic } from "./kafka.ts";
import { type MemorySample, sampleMemory } from "./memory.ts";

/** What a run is like. */
export interface StuckCell {
  readonly name: string;
  /** Seconds of production; then the stuck message ends. */
  readonly seconds: number;
  /** Messages per second. */
  readonly rate: number;
  readonly keys: number;
  /** One message in so many has the stuck message's key, once it is stuck; 0: none has. */
  readonly behindEvery: number;
  /** The broker's limit, in UTF-16 units. */
  readonly maxMetadataLength: number;
  readonly maxInFlightMessages: number;
}

/** A look at the run. Messages, unless something else is said. */
export interface StuckSample {
  /** Since the first message was handled. */
  readonly seconds: number;
  readonly sent: number;
  readonly done: number;
  readonly committed: number;
  /** Log end minus committed offset; `stats().lag` counts up to the last fetch's end only. */
  readonly lag: number;
  readonly statsLag: number;
  /** Polled, their call not ended. */
  readonly inFlight: number;
  /** UTF-16 units of the stored map. */
  readonly mapUnits: number;
  /** Offsets that the broker's map names as done. */
  readonly held: number;
  readonly truncated: boolean;
  /** What O6 allows in flight, followed commit by commit. */
  readonly budget: number;
  readonly memory: MemorySample;
  /** Share of one processor. */
  readonly cpu: number;
  readonly reason: string;
  readonly offset: number;
  readonly ageMs: number;
}

/** What a run came to. */
export interface StuckResult {
  readonly samples: readonly StuckSample[];
  /** Offset of the stuck message. */
  readonly stuckAt: number;
  /** Seconds at which it ended. */
  readonly releasedAt: number;
  /** Seconds at which everything was committed. */
  readonly endedAt: number;
  /** How often `explain()` gave each reason while it was stuck, asked ten times a second. */
  readonly reasons: ReadonlyMap<string, number>;
}

/** The stuck message comes after so many seconds. */
const WARM_UP_SECONDS = 3;
const CONCURRENCY = 200;
const EXPLAINS_PER_SECOND = 10;
const NO_TOPIC_ID = new Uint8Array(0);
/** How long the drain may take before the run counts as hung. */
const DRAIN_LIMIT_SECONDS = 180;

/** Reads what a restarted consumer would: the committed offset and its map, from the broker. */
async function openReader(
  bootstrap: string,
  groupId: string,
  topic: string,
): Promise<{ read(): Promise<{ offset: number; held: number }>; close(): Promise<void> }> {
  const admin = client(bootstrap).admin();
  await admin.connect();
  return {
    async read() {
      const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
      const { offset, metadata } = found!.partitions[0]!;
      const at = { offset: Number(offset), logEnd: Number.MAX_SAFE_INTEGER, topicId: NO_TOPIC_ID };
      return { offset: at.offset, held: decodeMetadata(metadata ?? "", at).completed.count };
    },
    close: () => admin.disconnect(),
  };
}

/** Follows rule O6 from outside: stats do not tell the limit. */
function followBudget(consumer: Consumer, most: number): () => number {
  let limit = most;
  consumer.on("committed", () => {
    const fits = !consumer.stats().partitions[0]!.mapTruncated;
    limit = fits ? Math.min(most, limit * 2) : Math.max(2 * CONCURRENCY, limit / 2);
  });
  return () => limit;
}

/**
 * Runs a cell on a topic of its own, which is deleted.
 *
 * @throws {Error} When a message is lost, comes twice or out of order, or the broker's offset is not
 *   the log's end.
 */
export async function runStuck(bootstrap: string, cell: StuckCell): Promise<StuckResult> {
  const topic = await makeTopic(bootstrap, "stuck", 1);
  return deletingTopic(bootstrap, topic, () => new StuckRun(bootstrap, topic, cell).run());
}

class StuckRun {
  readonly #bootstrap: string;
  readonly #topic: string;
  readonly #cell: StuckCell;
  readonly #groupId = `stuck-${Date.now()}`;
  readonly #count: number;
  readonly #stuckAt: number;
  readonly #check: RunChecker;
  readonly #consumer: Consumer;
  readonly #budget: () => number;
  readonly #samples: StuckSample[] = [];
  readonly #reasons = new Map<string, number>();
  #release: () => void = () => {};
  #beganMs = 0;
  #cpuUs = 0;
  #sampledMs = 0;

  constructor(bootstrap: string, topic: string, cell: StuckCell) {
    this.#bootstrap = bootstrap;
    this.#topic = topic;
    this.#cell = cell;
    this.#count = cell.rate * cell.seconds;
    this.#stuckAt = cell.rate * WARM_UP_SECONDS;
    this.#check = new RunChecker(this.#count, cell.keys);
    const budget = cell.maxInFlightMessages;
    this.#consumer = this.#createConsumer(budget);
    this.#budget = followBudget(this.#consumer, budget);
  }

  #createConsumer(maxInFlightMessages: number): Consumer {
    const check = this.#check;
    const handle = checkedHandler(check, evenWork(0, 5));
    const stuck = new Promise<void>((resolve) => {
      this.#release = resolve;
    });
    return createConsumer({
      source: kafkajs({ brokers: [this.#bootstrap] }),
      groupId: this.#groupId,
      concurrency: CONCURRENCY,
      fromBeginning: true,
      maxInFlightMessages,
      maxMetadataLength: this.#cell.maxMetadataLength,
      topics: {
        [this.#topic]: {
          eachMessage: ({ key, offset, partition }) => {
            const number = RunChecker.keyNumber(key!);
            if (offset !== this.#stuckAt) return handle(number, offset, partition);
            check.start(number, offset);
            return stuck.then(() => check.end(number));
          },
          virtualPartitions: { distribution: "per-key" },
        },
      },
    });
  }

  async run(): Promise<StuckResult> {
    const { rate, keys, behindEvery } = this.#cell;
    const reader = await openReader(this.#bootstrap, this.#groupId, this.#topic);
    await this.#consumer.start();
    const producer = new BackgroundProducer({
      bootstrap: this.#bootstrap,
      topic: this.#topic,
      count: this.#count,
      rate,
      bytes: 100,
      keys,
      zipf: null,
      special: { from: this.#stuckAt, every: behindEvery },
    });
    try {
      await this.#watch(producer, reader, () => producer.sent >= this.#count);
      const releasedAt = this.#secondsNow();
      this.#release();
      const late = (): boolean => this.#secondsNow() > releasedAt + DRAIN_LIMIT_SECONDS;
      await this.#watch(producer, reader, () => this.#stored === this.#count || late());
      const endedAt = this.#secondsNow();
      await producer.finished;
      await this.#consumer.close();
      await this.#verify(reader);
      return {
        samples: this.#samples,
        stuckAt: this.#stuckAt,
        releasedAt,
        endedAt,
        reasons: this.#reasons,
      };
    } finally {
      producer.stop();
      await reader.close();
    }
  }

  get #stored(): number {
    return this.#consumer.stats().partitions[0]?.committed ?? 0;
  }

  #secondsNow(): number {
    return (performance.now() - this.#beganMs) / 1000;
  }

  /** Looks ten times a second, in detail once, until it is over. */
  async #watch(
    producer: BackgroundProducer,
    reader: { read(): Promise<{ offset: number; held: number }> },
    over: () => boolean,
  ): Promise<void> {
    for (let look = 1; !over(); look++) {
      await new Promise((resolve) => setTimeout(resolve, 1000 / EXPLAINS_PER_SECOND));
      if (this.#check.done === 0) continue;
      if (this.#beganMs === 0) this.#beganMs = performance.now();
      const { reason } = this.#consumer.explain()[0]!;
      const stuck = this.#check.done > this.#stuckAt && producer.sent < this.#count;
      if (stuck) this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
      if (look % EXPLAINS_PER_SECOND === 0) await this.#sample(producer, reader);
    }
  }

  async #sample(
    producer: BackgroundProducer,
    reader: { read(): Promise<{ offset: number; held: number }> },
  ): Promise<void> {
    // First, so that nothing is told as stored which is not.
    const stored = await reader.read();
    const { sent } = producer;
    const { done } = this.#check;
    const stats = this.#consumer.stats().partitions[0]!;
    const { reason, offset = -1, ageMs = 0 } = this.#consumer.explain()[0]!;
    const budget = this.#budget();
    const seconds = this.#secondsNow();
    const cpu = this.#cpuShare();
    this.#samples.push({
      seconds,
      sent,
      done,
      committed: stored.offset,
      lag: Math.max(0, sent - stored.offset),
      statsLag: stats.lag ?? 0,
      inFlight: stats.queued + stats.inFlight,
      mapUnits: stats.mapSize,
      held: stored.held,
      truncated: stats.mapTruncated,
      budget,
      memory: sampleMemory(),
      cpu,
      reason,
      offset,
      ageMs,
    });
    const progress = `${Math.round(seconds)} s, ${done} of ${this.#count}, ${reason}`;
    process.stderr.write(`\r${`${this.#cell.name}: ${progress}`.padEnd(72)}`);
  }

  #cpuShare(): number {
    const { user, system } = process.cpuUsage();
    const nowMs = performance.now();
    const share = (user + system - this.#cpuUs) / 1000 / (nowMs - this.#sampledMs);
    this.#cpuUs = user + system;
    this.#sampledMs = nowMs;
    return share;
  }

  async #verify(reader: { read(): Promise<{ offset: number; held: number }> }): Promise<void> {
    process.stderr.write(`\r${"".padEnd(72)}\r`);
    // Throws when something was lost, came twice, or out of order.
    if (this.#check.seconds <= 0) throw new Error("Cannot use this run as it must take time");
    const { offset } = await reader.read();
    if (offset !== this.#count) {
      throw new Error(`Cannot use this run as all must be committed: received ${offset}`);
    }
    const moved = this.#samples.find(
      ({ committed, done, sent }) =>
        sent < this.#count && done > this.#stuckAt && committed > this.#stuckAt,
    );
    if (moved !== undefined) {
      const received = `received ${moved.committed}, stuck is ${this.#stuckAt}`;
      throw new Error(`Cannot use this run as a commit must not pass the stuck one: ${received}`);
    }
  }
}
