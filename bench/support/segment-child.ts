/**
 * A process that runs one segment, or the whole group: `fork` this file with a `SegmentPlan` as JSON. Answers a
 * `SegmentCount` by message whenever its group's offset has reached the end, and closes at "stop".
 */
import { createHash } from "node:crypto";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { log } from "../../src/adapters/log.ts";
import { byKey, createConsumer } from "../../src/index.ts";
import { cpuWorks } from "./cpu-work.ts";

/** SHA-256, 150 times over; `JSON.parse` of 18 KB, the same text each time. */
export type SegmentWork = "sha256" | "json";

const HASHES = 150;
const text: string = cpuWorks.json.value(0).toString();

const works: Readonly<Record<SegmentWork, (value: Uint8Array) => void>> = {
  sha256: (value) => {
    let bytes = value;
    for (let i = 0; i < HASHES; i++) bytes = createHash("sha256").update(bytes).digest();
  },
  json: () => void JSON.parse(text),
};

export interface SegmentPlan {
  /** A broker's address, or the directory of a log. */
  readonly bootstrap?: string;
  readonly directory?: string;
  readonly topic: string;
  readonly groupId: string;
  /** Messages of the topic's only partition. */
  readonly count: number;
  /** 0: the group itself. */
  readonly segments: number;
  readonly run: number;
  /** What each call computes. */
  readonly work: SegmentWork;
}

export interface SegmentCount {
  readonly handled: number;
  readonly offsetSum: number;
  readonly orderBreaks: number;
  /** Milliseconds since the epoch. */
  readonly firstMs: number;
  readonly lastMs: number;
}

const nowMs = (): number => performance.timeOrigin + performance.now();

async function main(plan: SegmentPlan): Promise<void> {
  const counts = { handled: 0, offsetSum: 0, orderBreaks: 0, firstMs: 0, lastMs: 0 };
  const last = new Map<string | null, number>();
  const { count, groupId, topic, run } = plan;
  const compute = works[plan.work];
  const consumer = createConsumer({
    source:
      plan.bootstrap === undefined
        ? log(plan.directory!)
        : kafkajs({ brokers: [plan.bootstrap], clientId: groupId }),
    groupId,
    fromBeginning: true,
    ...(plan.segments > 0 && {
      parallelSegments: { count: plan.segments, partitioner: byKey(), run: [run] },
    }),
    topics: {
      [topic]: {
        eachMessage: (message) => {
          if (counts.firstMs === 0) counts.firstMs = nowMs();
          const key = message.keyText();
          if ((last.get(key) ?? -1) >= message.offset) counts.orderBreaks++;
          last.set(key, message.offset);
          compute(message.value!);
          counts.handled++;
          counts.offsetSum += message.offset;
          counts.lastMs = nowMs();
        },
      },
    },
  });
  consumer.on("committed", ({ offset }) => {
    if (offset === count) process.send!(counts satisfies SegmentCount);
  });
  // Nobody is left who could stop it.
  process.on("disconnect", () => process.exit(1));
  process.on("message", () => {
    consumer.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
  await consumer.run();
}

await main(JSON.parse(process.argv[2]!) as SegmentPlan);
