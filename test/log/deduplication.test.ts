import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Log, log as logSource } from "../../src/adapters/log.ts";
import { CorruptLogError, LogError } from "../../src/errors.ts";
import { createProducer } from "../../src/index.ts";
import { openHandle } from "../../src/log/log.ts";
import { type LogOptions, resolveLogOptions } from "../../src/log/log-options.ts";
import type { SinkRecord } from "../../src/source/source.ts";
import { type FakeClock, fakeClock } from "../../src/testing/fake-clock.ts";
import { random, record, removeTemporary, storedValues, temporaryDirectory } from "./temporary.ts";

const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  removeTemporary();
});

const DEDUPLICATED: LogOptions = {
  topics: { t: { partitions: 1 } },
  deduplication: { maxEntries: 1000, ttlMs: 60_000 },
};

async function openAt(root: string, clock: FakeClock, options = DEDUPLICATED): Promise<Log> {
  const log = await openHandle(root, resolveLogOptions(options), clock);
  open.push(log);
  return log;
}

function withId(number: number | null, value = `v${number}`): SinkRecord {
  if (number === null) return record("k", value);
  const id = new Uint8Array(16).fill(0x10);
  new DataView(id.buffer).setUint32(0, number);
  return { ...record("k", value), id };
}

/** Offsets as an append answers them; duplicates as text. */
async function append(log: Log, ...numbers: (number | null)[]): Promise<(number | string)[]> {
  const records = numbers.map((number) => withId(number));
  const { baseOffset, outcomes } = await log.append("t", 0, records);
  const all = numbers.map((_, at) => ({ offset: baseOffset + at, duplicate: false }));
  return (outcomes ?? all).map(({ offset, duplicate }) => (duplicate ? `dup ${offset}` : offset));
}

describe("deduplication", () => {
  test("a duplicate answers the first offset and is not written, also inside one batch", async () => {
    const log = await openAt(temporaryDirectory(), fakeClock());
    expect(await append(log, 1, 2)).toEqual([0, 1]);
    expect(await append(log, 2, 3, 3, null, 1)).toEqual(["dup 1", 2, "dup 2", 3, "dup 0"]);
    expect(await append(log, null, null)).toEqual([4, 5]);
    expect(await storedValues(log)).toEqual(["v1", "v2", "v3", "vnull", "vnull", "vnull"]);
  });

  test("a batch of duplicates alone writes nothing", async () => {
    const root = temporaryDirectory();
    const log = await openAt(root, fakeClock());
    await append(log, 1, 2);
    const directory = join(root, "topics", "1-t", "partitions", "0");
    const files = (): Buffer[] =>
      readdirSync(directory).map((name) => readFileSync(join(directory, name)));
    const before = files();
    expect(await append(log, 2, 1, 2)).toEqual(["dup 1", "dup 0", "dup 1"]);
    expect(files()).toEqual(before);
    expect(await log.bounds("t", 0)).toEqual({ logStart: 0, logEnd: 2 });
  });

  test("seen at t: a duplicate at t + ttl - 1 ms, new at t + ttl", async () => {
    const clock = fakeClock();
    const log = await openAt(temporaryDirectory(), clock);
    await append(log, 7);
    await clock.advance(59_999);
    expect(await append(log, 7)).toEqual(["dup 0"]);
    await clock.advance(1);
    expect(await append(log, 7)).toEqual([1]);
  });

  test("the window outlives the process: by time and by number, whatever it must be read from", async () => {
    const root = temporaryDirectory();
    const clock = fakeClock();
    const options = { ...DEDUPLICATED, segment: { bytes: 4096 } };
    let log = await openAt(root, clock, options);
    const total = 1500;
    for (let first = 0; first < total; first += 50) {
      const numbers = Array.from({ length: 50 }, (_, at) => first + at);
      await append(log, ...numbers);
      await clock.advance(first < 750 ? 0 : 1000);
    }
    await log.close();
    log = await openAt(root, clock, options);
    // 1000 entries: what came before 500 is forgotten.
    expect(await append(log, 500, 1499)).toEqual(["dup 500", "dup 1499"]);
    await clock.advance(45_000);
    // The first 800 were appended 60 s ago.
    await log.close();
    log = await openAt(root, clock, options);
    expect(await append(log, 799, 800)).toEqual([total, "dup 800"]);
    expect(await append(log, 499)).toEqual([total + 1]);
  });

  test("the window is the same after every reopening, for random appends", async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const next = random(seed);
      const clock = fakeClock();
      const limits = { maxEntries: 5 + (next() % 30), ttlMs: 1000 };
      const options = { ...DEDUPLICATED, deduplication: limits, segment: { bytes: 1024 } };
      const logs = [await openAt(temporaryDirectory(), clock, options)];
      const roots = [temporaryDirectory()];
      logs.push(await openAt(roots[0]!, clock, options));
      for (let round = 0; round < 40; round++) {
        const numbers = Array.from({ length: 1 + (next() % 6) }, () => {
          return next() % 5 === 0 ? null : next() % 60;
        });
        const answers = [await append(logs[0]!, ...numbers), await append(logs[1]!, ...numbers)];
        expect({ seed, round, answer: answers[1] }).toEqual({ seed, round, answer: answers[0] });
        await clock.advance(next() % 200);
        // Only the second one is ever opened again.
        if (next() % 4 !== 0) continue;
        await logs[1]!.close();
        logs[1] = await openAt(roots[0]!, clock, options);
      }
    }
  });

  test("options may change: what is in the log counts from then on", async () => {
    const clock = fakeClock();
    const root = temporaryDirectory();
    const log = await openAt(root, clock, { topics: { t: { partitions: 1 } } });
    expect(await append(log, 1, 1)).toEqual([0, 1]);
    await openAt(root, clock, { topics: { t: { partitions: 1, deduplication: {} } } });
    expect(await append(log, 1, 2)).toEqual(["dup 0", 2]);
    await openAt(root, clock, { topics: { t: { partitions: 1, deduplication: null } } });
    expect(await append(log, 1)).toEqual([3]);
  });

  test("a record that breaks a limit leaves the window as it was", async () => {
    const log = await openAt(temporaryDirectory(), fakeClock());
    const bad = { ...withId(2), key: new Uint8Array(0x10000) };
    await expect(log.append("t", 0, [withId(1), bad])).rejects.toThrow(LogError);
    expect(await append(log, 1, 2)).toEqual([0, 1]);
  });

  test("a duplicate is acknowledged no earlier than what it repeats", async () => {
    const log = await openAt(temporaryDirectory(), fakeClock());
    const order: string[] = [];
    const first = append(log, 1).then(() => order.push("first"));
    const second = append(log, 1).then(() => order.push("second"));
    expect(order).toEqual([]);
    await Promise.all([first, second]);
    expect(order).toEqual(["first", "second"]);
  });

  test("damage under the window fails the open by its policy, or costs the older ids", async () => {
    const root = temporaryDirectory();
    const clock = fakeClock();
    const log = await openAt(root, clock, { ...DEDUPLICATED, segment: { bytes: 1024 } });
    for (let number = 0; number < 30; number++) await append(log, number);
    await log.close();
    const directory = join(root, "topics", "1-t", "partitions", "0");
    const sealed = readdirSync(directory)
      .filter((name) => name.endsWith(".log"))
      .sort()[1]!;
    const path = join(directory, sealed);
    const bytes = readFileSync(path);
    bytes[100]! ^= 1;
    writeFileSync(path, bytes);
    await expect(openAt(root, clock)).rejects.toThrow(CorruptLogError);
    await expect(openAt(root, clock)).rejects.toThrow(path);
    // Any other policy costs the ids that cannot be read any more.
    const again = await openAt(root, clock, { ...DEDUPLICATED, onCorruption: "quarantine" });
    expect(await append(again, 29, 0)).toEqual(["dup 29", 30]);
  });

  test("produceMany() answers the first offset for a duplicate, UUIDs in any case", async () => {
    const log = await openAt(temporaryDirectory(), fakeClock());
    const producer = createProducer({ sink: logSource(log), logger: false });
    open.push(producer);
    const id = "00112233-4455-6677-8899-aabbccddeeff";
    const records = [
      { topic: "t", value: "a", id },
      { topic: "t", value: "b" },
      { topic: "t", value: "a again", id: id.toUpperCase() },
    ];
    const offsets = (await producer.produceMany(records)).map(({ offset }) => offset);
    expect(offsets).toEqual([0, 1, 0]);
    expect(await producer.produce({ topic: "t", value: "a", id })).toEqual({
      partition: 0,
      offset: 0,
    });
    expect(await storedValues(log)).toEqual(["a", "b"]);
  });
});
