import { afterEach, describe, expect, test } from "bun:test";
import { log, openLog } from "../../src/adapters/log.ts";
import { createConsumer } from "../../src/index.ts";
import { record, removeTemporary, temporaryDirectory } from "../log/temporary.ts";

const TOPIC = "t";
const COUNT = 2000;
const APPENDED_TOGETHER = 40;
/** All together they are less than the budget's bytes, so nothing else keeps them from being read. */
const VALUE: string = "v".repeat(20_000);

afterEach(removeTemporary);

async function filledLog(): Promise<string> {
  const directory = temporaryDirectory();
  const store = await openLog(directory, { topics: { [TOPIC]: { partitions: 1 } } });
  for (let next = 0; next < COUNT; next += APPENDED_TOGETHER) {
    const records = Array.from({ length: APPENDED_TOGETHER }, (_, index) =>
      record(`k${(next + index) % 200}`, VALUE),
    );
    await store.append(TOPIC, 0, records);
  }
  await store.close();
  return directory;
}

/** Most messages that were polled and had not ended. */
async function mostPolled(module: string): Promise<number> {
  const consumer = createConsumer({
    source: log(await filledLog()),
    groupId: "g",
    concurrency: 64,
    workers: 2,
    fromBeginning: true,
    topics: { [TOPIC]: { module: new URL(module, import.meta.url), virtualPartitions: true } },
  });
  let most = 0;
  consumer.on("polled", () => {
    const { queued, inFlight } = consumer.stats().partitions[0]!;
    most = Math.max(most, queued + inFlight);
  });
  consumer.on("idle", () => {
    if (consumer.stats().processed === COUNT) void consumer.close();
  });
  await consumer.run();
  return most;
}

describe("reading ahead of worker threads", () => {
  test("F1: while all threads have calls that wait for them, no more is read than is plenty", async () => {
    expect(await mostPolled("./modules/holds-thread.ts")).toBeLessThan(COUNT / 2);
  });

  test("F1: threads that are free are not kept from messages", async () => {
    expect(await mostPolled("./modules/waits.ts")).toBeGreaterThan(COUNT / 2);
  });
});
