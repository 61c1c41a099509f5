import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { main } from "../../src/cli/cli.ts";
import type { SegmentsReport, SegmentsStatus } from "../../src/segments/index.ts";
import { removeTemporary } from "../log/temporary.ts";
import { logPlace, openLogPlace, type Place, type StoredMore } from "../segments/places.ts";
import { type FakeIo, fakeIo } from "./fake-io.ts";

const ALL = ["g", "h", "g-parallel-0", "g-parallel-1", "g-parallel-2", "h-parallel-0"];
const OF_TWO = { count: 2, version: null };

let place: Place & { readonly directory: string };
beforeEach(async () => {
  place = place === undefined ? await logPlace() : await openLogPlace(place.directory);
});
afterAll(removeTemporary);

async function call(argv: readonly string[]): Promise<{ io: FakeIo; code: number }> {
  const io = fakeIo({ cwd: join(place.directory, "..") });
  const code = await main(["segments", ...argv], io);
  return { io, code };
}

/** [group, topic#partition, offset, more] of each offset that is there before. */
type Stored = readonly (readonly [string, string, number, StoredMore?])[];

interface ErrorCase {
  readonly name: string;
  readonly argv: readonly string[];
  /** In place of `--log` and the place's directory. */
  readonly source?: readonly string[];
  readonly stored?: Stored;
  /** A group that runs meanwhile. */
  readonly running?: string;
  /** 2 where the call itself is wrong. */
  readonly code?: number;
  readonly says: string;
}

const G = ["--groups", "g", "--count", "2"];
const ONE: Stored = [["g", "orders#0", 40]];
const BOTH: Stored = [
  ["g-parallel-0", "orders#0", 40],
  ["g-parallel-1", "orders#0", 40],
];

/** What would be moved, if the call were right. */
const GOOD: Stored = [
  ["g", "orders#0", 40, { done: [42, 44], userText: "text" }],
  ["h", "payments#0", 7],
  ...BOTH,
];

const CASES: readonly ErrorCase[] = [
  // Wrong calls.
  {
    name: "no groups",
    argv: ["distribute", "--count", "2"],
    code: 2,
    says: "--groups is required",
  },
  {
    name: "an empty group",
    argv: ["distribute", "--groups", "g,,h", "--count", "2"],
    code: 2,
    says: '--groups must be names with commas between them: received "g,,h"',
  },
  {
    name: "a group twice",
    argv: ["collapse", "--groups", "g,h,g", "--count", "2"],
    code: 2,
    says: '--groups names each once: received "g" twice',
  },
  { name: "no count", argv: ["reset", "--groups", "g"], code: 2, says: "--count is required" },
  {
    name: "a count of 1",
    argv: ["distribute", "--groups", "g", "--count", "1"],
    code: 2,
    says: '--count must be a whole number from 2 to 65536: received "1"',
  },
  {
    name: "a count that is no number",
    argv: ["distribute", "--groups", "g", "--count", "two"],
    code: 2,
    says: '--count must be a whole number from 2 to 65536: received "two"',
  },
  {
    name: "an empty topic",
    argv: ["distribute", ...G, "--topics", "orders,"],
    code: 2,
    says: '--topics must be names with commas between them: received "orders,"',
  },
  {
    name: "an empty merge key",
    argv: ["distribute", ...G, "--merge-key="],
    code: 2,
    says: "--merge-key needs a value: received nothing",
  },
  {
    name: "an unknown option",
    argv: ["distribute", ...G, "--topic", "orders"],
    code: 2,
    says: 'options are listed by "headrace segments distribute --help": received --topic',
  },
  {
    name: "no source",
    argv: ["distribute", ...G],
    source: [],
    code: 2,
    says: "one of --brokers and --log is required: received none",
  },
  {
    name: "two sources",
    argv: ["distribute", ...G, "--brokers", "127.0.0.1:9092"],
    code: 2,
    says: "one of --brokers and --log is required: received both",
  },
  {
    name: "a directory that is not there",
    argv: ["distribute", ...G],
    source: ["--log", "not-there"],
    code: 2,
    says: '--log must be a directory: received "not-there"',
  },
  {
    name: "a version that is too long",
    argv: ["distribute", ...G, "--segmentation-version", "x".repeat(25)],
    code: 2,
    says: "version must have at most 24 bytes",
  },
  // What is not there.
  {
    name: "a missing topic",
    argv: ["distribute", ...G, "--topics", "orders,nope"],
    stored: ONE,
    says: 'topics must exist: received "nope"',
  },
  {
    name: "an unknown group, distribute",
    argv: ["distribute", ...G],
    says: 'the group must be known: received group "g" without any offset',
  },
  {
    name: "an unknown group, collapse",
    argv: ["collapse", ...G],
    stored: ONE,
    says: 'received segment 0 "g-parallel-0" without any offset, segment 1 "g-parallel-1" without',
  },
  {
    name: "an unknown group beside a known one",
    argv: ["distribute", "--groups", "g,h", "--count", "2"],
    stored: ONE,
    says: 'the group must be known: received group "h" without any offset',
  },
  {
    name: "a group without an offset in a topic",
    argv: ["distribute", ...G, "--topics", "orders,payments"],
    stored: ONE,
    says: 'the group must have offsets in the topic: received group "g" "payments" never committed',
  },
  { name: "an unknown group, status", argv: ["status", ...G], says: "the group must be known" },
  // What is there already, or differs.
  {
    name: "a segment with an offset",
    argv: ["distribute", ...G],
    stored: [...ONE, ["g-parallel-1", "orders#0", 3]],
    says: 'no segment may have an offset without force: received segment 1 "g-parallel-1" orders#0 offset 3',
  },
  {
    name: "a segment of the second group with an offset",
    argv: ["distribute", "--groups", "g,h", "--count", "2"],
    stored: [...ONE, ["h", "orders#1", 5], ["h-parallel-0", "orders#1", 5]],
    says: 'received segment 0 "h-parallel-0" orders#1 offset 5',
  },
  {
    name: "a segment with an offset where the group has none",
    argv: ["distribute", ...G, "--force"],
    stored: [...ONE, ["g-parallel-0", "orders#1", 3]],
    says: 'must have an offset where a segment has one: received segment 0 "g-parallel-0" orders#1 offset 3',
  },
  {
    name: "offsets that differ, collapse",
    argv: ["collapse", ...G],
    stored: [
      ["g-parallel-0", "orders#0", 40, { done: [42, 44] }],
      ["g-parallel-1", "orders#0", 41],
    ],
    says: 'received segment 0 "g-parallel-0" orders#0 offset 40, segment 1 "g-parallel-1" orders#0 offset 41',
  },
  {
    name: "offsets that differ, reset",
    argv: ["reset", ...G],
    stored: [...ONE, ["g-parallel-0", "orders#0", 40], ["g-parallel-1", "orders#0", 41]],
    says: "all segments must be at one offset without force",
  },
  {
    name: "a segment that never committed",
    argv: ["collapse", ...G],
    stored: [...ONE, ["g-parallel-0", "orders#0", 40]],
    says: 'orders#0 offset 40, segment 1 "g-parallel-1" orders#0 never committed',
  },
  {
    name: "a smaller count, collapse",
    argv: ["collapse", ...G, "--force"],
    stored: [
      ["g-parallel-0", "orders#0", 40, { segmentation: { count: 3, version: null } }],
      ["g-parallel-1", "orders#0", 40, { segmentation: { count: 3, version: null } }],
      ["g-parallel-2", "orders#0", 9, { segmentation: { count: 3, version: null } }],
    ],
    says: 'segmentation must be this one: received segment 0 "g-parallel-0" orders#0 offset 40 of 3 segments',
  },
  {
    name: "another version, reset",
    argv: ["reset", ...G, "--force", "--segmentation-version", "b"],
    stored: [
      ["g-parallel-0", "orders#0", 40, { segmentation: { count: 2, version: "a" } }],
      ["g-parallel-1", "orders#0", 40],
    ],
    says: 'segment 0 "g-parallel-0" orders#0 offset 40 of 2 segments, version "a"',
  },
  {
    name: "a group that is a segment itself",
    argv: ["distribute", "--groups", "g-parallel-0", "--count", "2", "--force"],
    stored: [["g-parallel-0", "orders#0", 40, { segmentation: OF_TWO }]],
    says: 'received group "g-parallel-0" orders#0 offset 40 of 2 segments',
  },
  {
    name: "an offset past the log's end",
    argv: ["distribute", ...G],
    stored: [["g", "orders#0", 201]],
    says: 'must not lie past the log\'s end without force: received group "g" orders#0 offset 201 past 200',
  },
  // Who runs.
  {
    name: "a running group",
    argv: ["distribute", ...G, "--force"],
    stored: ONE,
    running: "g",
    says: 'no group may have members: received group "g" with process',
  },
  {
    name: "a running segment, distribute",
    argv: ["distribute", ...G, "--force"],
    stored: ONE,
    running: "g-parallel-1",
    says: 'no group may have members: received segment 1 "g-parallel-1" with process',
  },
  {
    name: "a running segment, collapse",
    argv: ["collapse", ...G, "--force"],
    stored: BOTH,
    running: "g-parallel-0",
    says: 'no group may have members: received segment 0 "g-parallel-0" with process',
  },
  {
    name: "a running group, reset",
    argv: ["reset", ...G, "--force"],
    stored: BOTH,
    running: "g",
    says: 'no group may have members: received group "g" with process',
  },
  {
    name: "several things at once: all are named",
    argv: ["distribute", ...G, "--topics", "orders,nope"],
    stored: [...ONE, ["g-parallel-0", "orders#0", 40]],
    running: "g-parallel-1",
    says:
      'topics must exist: received "nope"; as no group may have members: received segment 1 ' +
      '"g-parallel-1" with process',
  },
];

describe("headrace segments refuses, and changes nothing", () => {
  for (const { name, argv, source, stored, running, code = 1, says } of CASES) {
    test(name, async () => {
      for (const [groupId, where, offset, more] of stored ?? (code === 2 ? GOOD : [])) {
        await place.commit(groupId, where, offset, more);
      }
      const stop = running === undefined ? null : await place.run(running, "payments");
      const before = await place.stored(...ALL);
      const result = await call([...argv, ...(source ?? ["--log", place.directory])]);
      expect(await place.stored(...ALL)).toEqual(before);
      await stop?.();
      expect(result.io.output.out).toBe("");
      expect(result.io.output.err).toMatch(/^headrace: Cannot .* as .*: received .*\n$/);
      expect(result.io.output.err).toContain(says);
      expect(result.code).toBe(code);
    });
  }
});

describe("headrace segments", () => {
  const log = (): string[] => ["--log", place.directory];

  test("distribute prints what it wrote; dry-run writes nothing", async () => {
    await place.commit("g", "orders#0", 40, { done: [42, 50] });
    const before = await place.stored(...ALL);
    const dry = await call(["distribute", ...G, "--dry-run", ...log()]);
    expect(await place.stored(...ALL)).toEqual(before);
    expect([dry.code, dry.io.output.err]).toEqual([0, "Nothing is changed with --dry-run\n"]);
    const { code, io } = await call(["distribute", ...G, ...log()]);
    expect([code, io.output.err]).toEqual([0, ""]);
    expect(io.output.out.split("\n")).toEqual([
      "group         partition  before  now  done above",
      "g-parallel-0  orders#0        -   40           8",
      "g-parallel-1  orders#0        -   40           8",
      "Never committed, and stays so: orders#1",
      "",
    ]);
    expect(dry.io.output.out.replace("would be", "now")).toContain("g-parallel-0  orders#0");
    expect((await place.position("g-parallel-1", "orders#0"))?.offset).toBe(40);
  });

  test("collapse and reset print the function's result as JSON, a line per group", async () => {
    for (const groupId of ["g", "h"]) {
      await place.commit(groupId, "orders#0", 1);
      await place.commit(`${groupId}-parallel-0`, "orders#0", 50);
      await place.commit(`${groupId}-parallel-1`, "orders#0", 40);
    }
    const argv = ["--groups", "g,h", "--count", "2", "--force", "--json", ...log()];
    for (const action of ["collapse", "reset"] as const) {
      const { code, io } = await call([action, ...argv]);
      expect([code, io.output.err]).toEqual([0, ""]);
      const reports = io.output.out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      for (const [at, groupId] of ["g", "h"].entries()) {
        const report = reports[at] as SegmentsReport;
        expect([report.action, report.groupId, report.force]).toEqual([action, groupId, true]);
        expect(report.offsets[0]?.offset).toBe(40);
        expect(report.offsets.length).toBe(action === "collapse" ? 1 : 3);
      }
    }
  });

  test("what finds no room in the metadata is told", async () => {
    const done = Array.from({ length: 50 }, (_, at) => 42 + at * 3 + ((at * at) % 3));
    await place.commit("g", "orders#0", 40, { done });
    const short = ["--max-metadata-length", "22", "--offset-map", "ascii"];
    const { code, io } = await call(["distribute", ...G, ...short, ...log()]);
    expect(code).toBe(0);
    expect(io.output.err).toMatch(
      /^g-parallel-0 orders#0: \d+ done messages find no room in the metadata, to be handled again\n/,
    );
  });

  test("status draws every segment, its position and its lag; groups may run", async () => {
    await place.commit("g", "orders#0", 40);
    await place.commit("g-parallel-0", "orders#0", 100, { done: [120, 124, 150, 152] });
    await place.commit("g-parallel-1", "orders#0", 200, {
      segmentation: { count: 3, version: "a" },
    });
    const stop = await place.run("g-parallel-0", "orders");
    const argv = ["status", ...G, "--topics", "orders", ...log()];
    const { code, io } = await call(argv);
    const { io: asJson } = await call([...argv, "--json"]);
    await stop();
    expect([code, io.output.err]).toEqual([0, ""]);
    const blank = (count: number): string => " ".repeat(count);
    const full = (count: number): string => "█".repeat(count);
    expect(io.output.out.split("\n")).toEqual([
      "g  2 segments",
      "  origin     g             stopped",
      "  segment 0  g-parallel-0  runs in 1 member",
      "  segment 1  g-parallel-1  stopped",
      "",
      "orders#0  0 to 200",
      `  origin     │${full(10)}${blank(40)}│   40  lag 160`,
      `  segment 0  │${full(25)}${blank(5)}█${blank(6)}▄${blank(12)}│  100  lag 100  6 done above`,
      `  segment 1  │${full(50)}│  200    lag 0  of 3 segments, version a`,
      "",
      "orders#1  0 to 200",
      "  origin     ││  -    never committed",
      "  segment 0  ││  -    never committed",
      "  segment 1  ││  -    never committed",
      "",
    ]);
    const status = JSON.parse(asJson.output.out) as SegmentsStatus;
    expect(status.groups.map(({ state }) => state)).toEqual(["empty", "running", "empty"]);
    const [, first] = status.partitions[0]!.positions;
    expect(first).toMatchObject({ segment: 0, offset: 100, lag: 100, completed: 6, count: null });
    expect(first!.done.length).toBe(50);
  });
});
