import { expect, test } from "bun:test";
import { createConsumer } from "../../src/consumer.ts";
import { byKey } from "../../src/group/partitioners.ts";
import { systemClock } from "../../src/runtime/system-clock.ts";
import { collapseSegments, distributeSegments, resetSegments } from "../../src/segments/index.ts";
import type { SourceFactory } from "../../src/source/source.ts";
import { type MemorySource, memorySource } from "../../src/testing/memory-source.ts";
import type { Message, MessageContext } from "../../src/types.ts";
import { random } from "../log/temporary.ts";

const SEEDS = 8;
const TOPIC = "orders";
const MESSAGES = 150;
const KEYS = 9;
const TIMEOUT_MS = 20_000;

/** What has been handled to its end, in its order. */
interface Handled {
  readonly key: string;
  readonly offset: number;
}

/** One group and its segments over a memory source, with handlers that do not get through with everything. */
class World {
  readonly memory: MemorySource = memorySource({
    topics: { [TOPIC]: 1 },
    deliverMode: "manual",
    maxBatchRecords: 10,
  });
  readonly handled: Handled[] = [];
  /** By group: where reading went to since offsets were moved. */
  readonly readEnds = new Map<string, number>();
  readonly #next: () => number;

  constructor(next: () => number) {
    this.#next = next;
    const records = Array.from({ length: MESSAGES }, () => ({ key: `k${next() % KEYS}` }));
    this.memory.deliver(
      TOPIC,
      0,
      records.map((record) => ({ ...record, value: "v" })),
    );
  }

  /** Runs one group for some batches; about one message in `stuckOneIn` is never done (0: all are). */
  async run(batches: number, stuckOneIn: number, segment?: { count: number; index: number }) {
    const stuck = new Set(
      Array.from({ length: MESSAGES }, (_, offset) => offset).filter(
        () => stuckOneIn > 0 && this.#next() % stuckOneIn === 0,
      ),
    );
    const consumer = createConsumer({
      source: this.#watchedSource(),
      groupId: "g",
      fromBeginning: true,
      drainTimeoutMs: 0,
      concurrency: 20,
      logger: false,
      ...(segment && {
        parallelSegments: { count: segment.count, partitioner: byKey(), run: [segment.index] },
      }),
      topics: {
        [TOPIC]: {
          eachMessage: (message, context) => this.#handle(message, context, stuck),
          virtualPartitions: { distribution: "per-key", maxPartitions: 20 },
        },
      },
    });
    await consumer.start();
    for (let batch = 0; batch < batches; batch++) {
      this.memory.step(TOPIC, 0);
      for (let turn = 0; turn < 3; turn++) {
        await new Promise<void>((resolve) => systemClock.defer(resolve));
      }
    }
    await consumer.close();
  }

  #handle(
    message: Message,
    { signal }: MessageContext,
    stuck: ReadonlySet<number>,
  ): void | Promise<void> {
    const { offset } = message;
    if (stuck.has(offset)) {
      return new Promise((_, reject) => {
        const end = (): void => reject(signal.reason);
        if (signal.aborted) end();
        signal.addEventListener("abort", end, { once: true });
      });
    }
    this.handled.push({ key: message.keyText()!, offset });
  }

  /** Notes how far every group reads. */
  #watchedSource(): SourceFactory {
    const { source } = this.memory;
    const note = (groupId: string, end: number): void => {
      this.readEnds.set(groupId, Math.max(this.readEnds.get(groupId) ?? 0, end));
    };
    return {
      ...source,
      open: (group) => {
        const opened = source.open(group);
        const start = opened.start.bind(opened);
        opened.start = (listener) => {
          const deliver = listener.deliver.bind(listener);
          listener.deliver = (batch) => {
            note(group.groupId, batch.nextOffset);
            return deliver(batch);
          };
          return start(listener);
        };
        return opened;
      },
    };
  }

  /** All segments have been moved: what they know ends at their offset, but for their maps. */
  moved(names: readonly string[]): void {
    for (const name of names) {
      this.readEnds.set(name, this.memory.committed(name, TOPIC, 0)!.offset);
    }
  }

  /** Offsets below `end` that were handled more than once. */
  twice(end: number): number[] {
    const times = new Map<number, number>();
    for (const { offset } of this.handled) times.set(offset, (times.get(offset) ?? 0) + 1);
    return [...times].filter(([offset, count]) => count > 1 && offset < end).map(([at]) => at);
  }

  /** Messages that were first handled after a later one of their key. */
  outOfOrder(): Handled[] {
    const last = new Map<string, number>();
    const seen = new Set<number>();
    return this.handled.filter(({ key, offset }) => {
      if (seen.has(offset)) return false;
      seen.add(offset);
      const before = last.get(key) ?? -1;
      last.set(key, Math.max(before, offset));
      return offset < before;
    });
  }
}

test(
  "S5: from a group to segments and back nothing is lost, and only above the slowest one repeated",
  async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const next = random(seed);
      const world = new World(next);
      const count = 2 + (next() % 3);
      const names = Array.from({ length: count }, (_, index) => `g-parallel-${index}`);
      const moved = { source: world.memory.source, groupId: "g", topics: [TOPIC], count };
      /** Above here something may be handled again. */
      let exact = MESSAGES;
      try {
        await world.run(1 + (next() % 6), 8);
        await distributeSegments(moved);
        world.moved(names);
        for (let round = 1 + (next() % 2); round > 0; round--) {
          for (let index = 0; index < count; index++) {
            await world.run(next() % 8, next() % 12, { count, index });
          }
          const isLast = round === 1;
          if (!isLast && next() % 2 === 0) continue;
          exact = Math.min(exact, ...names.map((name) => world.readEnds.get(name)!));
          const move = isLast ? collapseSegments : resetSegments;
          await move({ ...moved, force: true });
          world.moved(names);
        }
        expect(world.twice(exact)).toEqual([]);
        await world.run(MESSAGES, 0);
        expect(new Set(world.handled.map(({ offset }) => offset)).size).toBe(MESSAGES);
        expect(world.twice(exact)).toEqual([]);
        expect(world.outOfOrder()).toEqual([]);
        expect(world.memory.committed("g", TOPIC, 0)?.offset).toBe(MESSAGES);
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      }
    }
  },
  TIMEOUT_MS,
);
