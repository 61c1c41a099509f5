import { afterEach, describe, expect, test } from "bun:test";
import { type Log, log as logSource, openLog } from "../../src/adapters/log.ts";
import { type Consumer, createConsumer, type Message } from "../../src/index.ts";
import { numbered, removeTemporary, temporaryDirectory } from "./temporary.ts";

const BATCH = 10;
const TOPIC_PARTITION = [{ topic: "t", partition: 0 }];

const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  removeTemporary();
});

async function openKept(protectUncommitted: boolean): Promise<Log> {
  const log = await openLog(temporaryDirectory(), {
    topics: { t: { partitions: 1 } },
    segment: { bytes: 4096 },
    retention: { maxTopicBytes: 2 * 4096, deleteOldestSegments: true, protectUncommitted },
  });
  open.push(log);
  return log;
}

/** Appends batches; the values are the offsets. */
async function fill(log: Log, batches: number): Promise<number> {
  for (let batch = 0; batch < batches; batch++) {
    const { logEnd } = await log.bounds("t", 0);
    await log.append("t", 0, numbered(logEnd, BATCH));
  }
  await log.retain();
  return (await log.bounds("t", 0)).logEnd;
}

/** A consumer that notes offsets, and can be waited for until it has committed. */
function follow(log: Log): {
  consumer: Consumer;
  offsets: number[];
  passed(offset: number): Promise<void>;
} {
  const offsets: number[] = [];
  let committed = 0;
  let look = (): void => {};
  const consumer = createConsumer({
    source: logSource(log),
    groupId: "g",
    concurrency: 4,
    commitIntervalMs: 10,
    fromBeginning: true,
    topics: {
      t: {
        eachMessage: (message: Message) => {
          if (message.text() !== `v${message.offset}`) throw new Error(`wrong ${message.offset}`);
          offsets.push(message.offset);
        },
        virtualPartitions: true,
      },
    },
  });
  open.push(consumer);
  consumer.on("committed", ({ offset }) => {
    committed = offset;
    look();
  });
  const passed = (offset: number): Promise<void> => {
    return new Promise((resolve) => {
      look = () => {
        if (committed >= offset) resolve();
      };
      look();
    });
  };
  return { consumer, offsets, passed };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

describe("a consumer under retention", () => {
  test("O11: whose position was removed starts again by its policy, and is told", async () => {
    const log = await openKept(false);
    const { consumer, offsets, passed } = follow(log);
    const resets: { from: number; to: number }[] = [];
    const reset = new Promise<void>((resolve) => {
      consumer.on("offsetReset", ({ from, to }) => {
        resets.push({ from, to });
        resolve();
      });
    });
    await consumer.start();
    const position = await fill(log, 2);
    await passed(position);
    consumer.pause(TOPIC_PARTITION);
    const end = await fill(log, 60);
    const { logStart } = await log.bounds("t", 0);
    expect(logStart).toBeGreaterThan(position);
    consumer.resume(TOPIC_PARTITION);
    await reset;
    await passed(end);
    // While segments come and go it may be overtaken more than once.
    expect(resets[0]!.from).toBe(position);
    const starts = resets.map(({ to }) => to);
    expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
    expect(starts.at(-1)).toBe(logStart);
    expect([...offsets].sort((a, b) => a - b)).toEqual([
      ...range(0, position),
      ...range(logStart, end),
    ]);
  });

  test("which is protected loses nothing, however far behind it is", async () => {
    const log = await openKept(true);
    const { consumer, offsets, passed } = follow(log);
    await consumer.start();
    const position = await fill(log, 2);
    await passed(position);
    consumer.pause(TOPIC_PARTITION);
    const end = await fill(log, 60);
    expect((await log.bounds("t", 0)).logStart).toBe(0);
    consumer.resume(TOPIC_PARTITION);
    await passed(end);
    expect([...offsets].sort((a, b) => a - b)).toEqual(range(0, end));
    await log.retain();
    expect((await log.bounds("t", 0)).logStart).toBeGreaterThan(0);
  });
});
