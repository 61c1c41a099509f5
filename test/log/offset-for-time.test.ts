import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openHandle, openLog } from "../../src/log/log.ts";
import { LogEventHub } from "../../src/log/log-events.ts";
import type { LogOptions } from "../../src/log/log-options.ts";
import { resolveLogOptions } from "../../src/log/log-options.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { timeIndexPath } from "../../src/log/segment-names.ts";
import { systemClock } from "../../src/runtime/system-clock.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { openPartition } from "./open-partition.ts";
import { numbered, random, removeTemporary, temporaryDirectory } from "./temporary.ts";

const open: PartitionLog[] = [];

afterEach(() => {
  for (const partition of open.splice(0)) partition.close();
  removeTemporary();
});

/** A partition whose clock the test sets, and what it has appended: time and base offset. */
function timed(options: LogOptions, directory = temporaryDirectory(), writerEpoch = 1) {
  const now = { ms: 0 };
  const clock = { ...systemClock, wallTime: () => now.ms };
  const partition = openPartition(directory, { options, clock, writerEpoch });
  open.push(partition);
  const appended: { timeMs: number; baseOffset: number }[] = [];
  const append = (timeMs: number, size = 3): void => {
    now.ms = timeMs;
    appended.push({ timeMs, baseOffset: partition.append(numbered(partition.logEnd, size)) });
  };
  return { partition, directory, append, appended };
}

/** The definition: the first message whose append time is at or after the time. */
function model(appended: readonly { timeMs: number; baseOffset: number }[], timeMs: number) {
  return appended.find((one) => one.timeMs >= timeMs)?.baseOffset;
}

const modes: LogOptions[] = (["all", "open", "none"] as const).map((cacheIndexes) => {
  return { cacheIndexes, segment: { bytes: 1024 } };
});

describe("offsetForTime()", () => {
  test("answers the first message at or after the time, undefined behind the last", () => {
    const { partition, append } = timed({});
    expect(partition.offsetForTime(0)).toBeUndefined();
    for (const timeMs of [10, 20, 20, 30]) append(timeMs);
    const asked = [Number.NEGATIVE_INFINITY, 0, 10, 10.5, 20, 21, 30, 31, Infinity];
    expect(asked.map((timeMs) => partition.offsetForTime(timeMs))).toEqual([
      ...[0, 0, 0, 3, 3, 9, 9],
      ...[undefined, undefined],
    ]);
  });

  test.each(modes)("equals the definition over many segments, with %j", (mode) => {
    for (let seed = 1; seed <= 4; seed++) {
      const next = random(seed);
      const { partition, directory, append, appended } = timed(mode);
      let timeMs = 1000;
      for (let at = 0; at < 80; at++) {
        timeMs += [0, 0, 1, 5, 200][next() % 5]!;
        append(timeMs, 1 + (next() % 12));
      }
      const check = (of: PartitionLog): void => {
        for (let asked = 995; asked <= timeMs + 3; asked += 1 + (next() % 7)) {
          expect([seed, asked, of.offsetForTime(asked)]).toEqual([
            seed,
            asked,
            model(appended, asked),
          ]);
        }
      };
      expect(partition.sealed.length).toBeGreaterThan(5);
      check(partition);
      partition.close();
      const again = timed(mode, directory, 2).partition;
      check(again);
      again.dropOldest();
      expect(again.offsetForTime(0)).toBe(again.logStart);
    }
  });

  test("looks inside a segment with many batches", () => {
    const { partition, append, appended } = timed({});
    for (let timeMs = 0; timeMs < 3000; timeMs += 3) append(timeMs, 4);
    expect(partition.sealed.length).toBe(0);
    for (let asked = 0; asked < 3003; asked += 17) {
      expect(partition.offsetForTime(asked)).toBe(model(appended, asked)!);
    }
  });

  test.each([
    ["deleted", (path: string) => rmSync(path)],
    ["zeroed", (path: string) => writeFileSync(path, readFileSync(path).fill(0))],
    ["truncated", (path: string) => truncateSync(path, 21)],
    ["emptied", (path: string) => truncateSync(path, 0)],
    [
      "of another segment",
      (path: string, other: string) => writeFileSync(path, readFileSync(other)),
    ],
  ] as [string, (path: string, other: string) => void][])(
    "rebuilds a time index that is %s",
    (_name, damage) => {
      const { partition, directory, append, appended } = timed({ segment: { bytes: 2048 } });
      for (let timeMs = 0; timeMs < 100; timeMs++) append(timeMs);
      partition.close();
      const paths = partition.sealed.map(({ path }) => timeIndexPath(path));
      const before = paths.map((path) => readFileSync(path));
      expect(paths.length).toBeGreaterThan(3);
      for (const path of paths.slice(1)) damage(path, paths[0]!);
      const again = timed({ segment: { bytes: 2048 } }, directory, 2).partition;
      for (let asked = 0; asked < 102; asked++) {
        expect(again.offsetForTime(asked)).toBe(model(appended, asked) as number);
      }
      expect(paths.map((path) => readFileSync(path))).toEqual(before);
    },
  );

  test("works from Log, and from a log that is open for reading only", async () => {
    const root = temporaryDirectory();
    const clock = fakeClock({ epochMs: 1_000_000 });
    const options = { topics: { t: { partitions: 2 } }, segment: { bytes: 1024 } };
    const log = await openHandle(root, resolveLogOptions(options), clock);
    const reader = await openLog(root, { readOnly: true });
    expect(await reader.offsetForTime("t", 1, 0)).toBeNull();
    for (let at = 0; at < 40; at++) {
      await log.append("t", 1, numbered(at * 5, 5));
      await clock.advance(10);
    }
    for (const one of [log, reader]) {
      expect(await one.offsetForTime("t", 1, 0)).toBe(0);
      expect(await one.offsetForTime("t", 0, 0)).toBeNull();
      for (let at = 0; at < 40; at++) {
        expect(await one.offsetForTime("t", 1, 1_000_000 + at * 10)).toBe(at * 5);
        expect(await one.offsetForTime("t", 1, 1_000_000 + at * 10 - 9)).toBe(at * 5);
      }
      expect(await one.offsetForTime("t", 1, 1_000_391)).toBeNull();
    }
    await Promise.all([log.close(), reader.close()]);
  });
});

describe("segment.maxAgeMs", () => {
  const options: LogOptions = { segment: { maxAgeMs: 1000 } };

  function aged(directory = temporaryDirectory(), writerEpoch = 1, clock = fakeClock()) {
    const partition = openPartition(directory, { options, clock, writerEpoch });
    open.push(partition);
    return { partition, clock, directory };
  }

  test("seals the active segment by time alone, once it has a batch", async () => {
    const { partition, clock } = aged();
    await clock.advance(5000);
    expect(clock.pendingTimers()).toBe(0);
    partition.append(numbered(0, 2));
    await clock.advance(500);
    partition.append(numbered(2, 2));
    await clock.advance(499);
    expect(partition.sealed.length).toBe(0);
    await clock.advance(1);
    expect(partition.sealed.map(({ nextOffset }) => nextOffset)).toEqual([4]);
    expect([partition.logEnd, clock.pendingTimers()]).toEqual([4, 0]);
    await clock.advance(5000);
    partition.append(numbered(4, 1));
    expect(partition.read(0, 1 << 20).length).toBe(2);
    expect(partition.read(4, 1 << 20).length).toBe(1);
  });

  test("counts from the oldest batch, also after it is opened again", async () => {
    const first = aged();
    first.partition.append(numbered(0, 2));
    await first.clock.advance(700);
    first.partition.close();
    const again = aged(first.directory, 2, first.clock);
    await first.clock.advance(299);
    expect(again.partition.sealed.length).toBe(0);
    await first.clock.advance(1);
    expect(again.partition.sealed.length).toBe(1);
    again.partition.close();
    const third = aged(first.directory, 3, first.clock);
    expect([third.partition.sealed.length, third.partition.logEnd]).toEqual([1, 2]);
  });

  test("rolls before a batch that would be too late", () => {
    const now = { ms: 0 };
    const clock = { ...systemClock, wallTime: () => now.ms };
    const partition = openPartition(temporaryDirectory(), { options, clock });
    open.push(partition);
    for (now.ms of [0, 999, 1000, 1500, 2000]) partition.append(numbered(partition.logEnd, 1));
    expect(partition.sealed.map(({ baseOffset }) => baseOffset)).toEqual([0, 2]);
  });

  test("a change of the option holds for the segment that is open", async () => {
    const root = temporaryDirectory();
    const clock = fakeClock();
    const topic = (maxAgeMs: number) => {
      return resolveLogOptions({ topics: { t: { partitions: 1, segment: { maxAgeMs } } } });
    };
    const log = await openHandle(root, topic(3_000_000_000), clock);
    await log.append("t", 0, numbered(0, 1));
    const files = () => {
      const directory = join(root, "topics", "1-t", "partitions", "0");
      return readdirSync(directory).filter((name) => name.endsWith(".log")).length;
    };
    await clock.advance(1000);
    expect(files()).toBe(1);
    await (await openHandle(root, topic(1500))).close();
    await clock.advance(500);
    expect(files()).toBe(2);
    await log.close();
  });
});

describe("clockAhead", () => {
  function ahead(directory = temporaryDirectory(), writerEpoch = 1, startMs = 1_000_000) {
    const now = { ms: startMs };
    const clock = { ...systemClock, wallTime: () => now.ms };
    const seen: unknown[] = [];
    const events = new LogEventHub();
    events.add({ clockAhead: (event) => seen.push(event) });
    const partition = openPartition(directory, { clock, events, writerEpoch });
    open.push(partition);
    const append = (ms: number): void => {
      now.ms = ms;
      partition.append(numbered(partition.logEnd, 1));
    };
    return { partition, append, seen, directory };
  }

  test("is raised once for each time that the clock is more than a minute behind", () => {
    const { append, seen } = ahead();
    for (const ms of [1_000_000, 940_000, 939_999, 900_000, 1_000_000, 900_000]) append(ms);
    expect(seen).toEqual([
      { topic: "t", partition: 0, appendTimeMs: 1_000_000, nowMs: 939_999 },
      { topic: "t", partition: 0, appendTimeMs: 1_000_000, nowMs: 900_000 },
    ]);
  });

  test("is raised when a log is opened, and append times go on from there", () => {
    const first = ahead();
    first.append(2_000_000);
    first.partition.close();
    const again = ahead(first.directory, 2, 1_500_000);
    expect(again.seen).toEqual([
      { topic: "t", partition: 0, appendTimeMs: 2_000_000, nowMs: 1_500_000 },
    ]);
    again.append(1_600_000);
    expect(again.partition.offsetForTime(2_000_000)).toBe(0);
    expect(again.partition.offsetForTime(2_000_001)).toBeUndefined();
  });
});
