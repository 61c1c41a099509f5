/** One long run over a topic with very many keys, and what memory was like. */
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { type Consumer, createConsumer, type Message } from "../../src/index.ts";
import type { VirtualPartitionsOptions } from "../../src/options.ts";
import { withAdmin } from "../../test/kafka/admin.ts";
import { checkedHandler, RunChecker, tailWork } from "./check.ts";
import { client } from "./kafka.ts";
import { type MemorySample, sampleMemory } from "./memory.ts";

/** What a run is like. */
export interface SoakCell {
  readonly bootstrap: string;
  readonly topic: string;
  readonly count: number;
  readonly keys: number;
  readonly distribution: NonNullable<VirtualPartitionsOptions["distribution"]>;
  readonly acknowledge: "automatic" | "manual";
  /** Messages between two looks at the memory. */
  readonly sampleEvery: number;
  /** One message in so many waits for `slowMs`, all others end at once. */
  readonly slowOneIn: number;
  readonly slowMs: number;
}

/** A look at the memory, with the messages that were done then. */
export interface SoakSample extends MemorySample {
  readonly done: number;
  readonly distinctKeys: number;
}

/** What a run came to. */
export interface SoakResult {
  readonly samples: readonly SoakSample[];
  readonly seconds: number;
}

const CONCURRENCY = 100;
/** With manual acknowledgement, marks come after the calls have returned, so many together. */
const MARKED_TOGETHER = 64;
const LOOK_MS = 20;

/** Counts keys by their number, one bit each, made before the first sample. */
class SeenKeys {
  readonly #bits: Uint8Array;
  count = 0;

  constructor(keys: number) {
    this.#bits = new Uint8Array(Math.ceil(keys / 8));
  }

  add(key: number): void {
    const bit = 1 << (key & 7);
    if ((this.#bits[key >> 3]! & bit) !== 0) return;
    this.#bits[key >> 3]! |= bit;
    this.count++;
  }
}

/** Marks messages some time after their calls, from outside of them. */
class LateMarks {
  readonly #left: (() => unknown)[] = [];

  add(mark: () => unknown): void {
    this.#left.push(mark);
    if (this.#left.length >= MARKED_TOGETHER) this.flush();
  }

  flush(): void {
    for (const mark of this.#left.splice(0)) mark();
  }
}

function start(
  cell: SoakCell,
  groupId: string,
  check: RunChecker,
  seen: SeenKeys,
  late: LateMarks,
): Consumer {
  const handle = checkedHandler(check, tailWork(0, cell.slowMs, cell.slowOneIn));
  const manual = cell.acknowledge === "manual";
  return createConsumer({
    source: kafkajs({ brokers: [cell.bootstrap] }),
    groupId,
    concurrency: CONCURRENCY,
    fromBeginning: true,
    topics: {
      [cell.topic]: {
        acknowledge: cell.acknowledge,
        eachMessage: (message: Message, context) => {
          const key = RunChecker.keyNumber(message.key!);
          seen.add(key);
          const pending = handle(key, message.offset, message.partition);
          if (!manual) return pending;
          const mark = (): void => late.add(() => context.markAsConsumed(message));
          if (pending !== undefined) return pending.then(mark);
          mark();
          return undefined;
        },
        virtualPartitions: { distribution: cell.distribution },
      },
    },
  });
}

/**
 * Handles the whole topic with a new group.
 *
 * @throws {Error} When a message is lost, comes twice or out of order, or the broker's offset is not
 *   the log's end.
 */
export async function runSoak(cell: SoakCell): Promise<SoakResult> {
  const groupId = `soak-${Date.now()}`;
  const check = new RunChecker(cell.count, cell.keys);
  const seen = new SeenKeys(cell.keys);
  const late = new LateMarks();
  const consumer = start(cell, groupId, check, seen, late);
  const samples: SoakSample[] = [];
  await consumer.start();
  for (let next = cell.sampleEvery; !check.finished; ) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    late.flush();
    if (check.done < next) continue;
    samples.push({ done: check.done, distinctKeys: seen.count, ...sampleMemory() });
    next = check.done - (check.done % cell.sampleEvery) + cell.sampleEvery;
    const name = `${cell.distribution} ${cell.acknowledge}`;
    process.stderr.write(`\r${`${name}: ${check.done} of ${cell.count}`.padEnd(72)}`);
  }
  process.stderr.write(`\r${"".padEnd(72)}\r`);
  late.flush();
  await consumer.close();
  await verifyCommitted(cell, groupId);
  return { samples, seconds: check.seconds };
}

async function verifyCommitted(
  { bootstrap, topic, count }: SoakCell,
  groupId: string,
): Promise<void> {
  const [found] = await withAdmin(client(bootstrap), (admin) =>
    admin.fetchOffsets({ groupId, topics: [topic] }),
  );
  const offset = Number(found!.partitions[0]!.offset);
  if (offset === count) return;
  throw new Error(`Cannot use this run as ${count} must be committed: received ${offset}`);
}
