import { afterEach, describe, expect, test } from "bun:test";
import { log, openLog } from "../../src/adapters/log.ts";
import { record, removeTemporary, temporaryDirectory } from "../log/temporary.ts";
import { mostPolled } from "./most-polled.ts";

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

describe("reading ahead of worker threads", () => {
  test("F1: while all threads have calls that wait for them, no more is read than is plenty", async () => {
    const source = log(await filledLog());
    expect(await mostPolled(source, TOPIC, COUNT, "holds-thread.ts")).toBeLessThan(COUNT / 2);
  });

  test("F1: threads that are free are not kept from messages", async () => {
    const source = log(await filledLog());
    expect(await mostPolled(source, TOPIC, COUNT, "waits.ts")).toBeGreaterThan(COUNT / 2);
  });
});
