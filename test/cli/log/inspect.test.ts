import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { DescribedTopic } from "../../../src/cli/log/describe.ts";
import { GroupOffsets } from "../../../src/log/group-offsets.ts";
import { numbered, removeTemporary, temporaryDirectory } from "../../log/temporary.ts";
import { linesOf, logCommand, type Outcome } from "./command.ts";
import { MESSAGES, openStock, stockLog } from "./stocked-log.ts";

let directory: string;
beforeEach(async () => {
  directory = temporaryDirectory();
  await stockLog(directory);
});
afterEach(removeTemporary);

async function run(...argv: string[]): Promise<Outcome> {
  return await logCommand(directory, [...argv, "--log", "log"]);
}

/** What a command prints with --json. */
async function json(...argv: string[]): Promise<unknown> {
  const { code, out, err } = await run(...argv, "--json");
  expect([code, err]).toEqual([0, ""]);
  expect(linesOf(out).length).toBe(1);
  return JSON.parse(out);
}

describe("headrace log topics", () => {
  test("lists topics with what is in them", async () => {
    expect(await json("topics")).toMatchObject([
      {
        topic: "orders",
        partitions: 2,
        messages: MESSAGES + MESSAGES / 2,
        groups: ["audit", "billing"],
      },
      { topic: "bills", partitions: 1, segments: 0, messages: 0, bytes: 0, groups: [] },
    ]);
    const [heading, orders, bills, ...more] = linesOf((await run("topics")).out);
    expect(heading).toMatch(/^topic +partitions +segments +messages +bytes +groups$/);
    expect(orders).toMatch(/^orders +2 +\d+ +144 +[\d.]+ KiB +2$/);
    expect(bills).toMatch(/^bills +1 +0 +0 +0 B +0$/);
    expect(more).toEqual([]);
  });

  test("says that there are none", async () => {
    await run("create", "x");
    const log = await openStock(directory);
    for (const { topic } of await log.topics()) await log.deleteTopic(topic);
    await log.close();
    expect((await run("topics")).out).toBe("No topics\n");
    expect((await run("describe")).out).toBe("No topics\n");
    expect((await run("groups")).out).toBe("No groups\n");
    expect(await json("topics")).toEqual([]);
  });
});

describe("headrace log describe", () => {
  test("draws every partition with its segments and groups, within 80 columns", async () => {
    const { code, out } = await run("describe");
    expect(code).toBe(0);
    const lines = linesOf(out);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines[0]).toMatch(/^orders {2}2 partitions, 144 messages, [\d.]+ KiB, 2 groups$/);
    expect(lines[2]).toMatch(/^partition 0 {2}96 messages, [\d.]+ KiB, newest \d+ s old$/);
    expect(lines[3]).toMatch(/^ {2}█+│.*░+$/);
    expect(lines[3]!.length).toBe(80);
    expect(lines[4]!.endsWith(" 96")).toBe(true);
    expect(out).toContain("audit 96, lag 0 ▲");
    expect(out).toContain("▲ billing 40, lag 56");
    expect(out).toContain("bills  1 partition, 0 messages, 0 B, 0 groups");
    expect(out).toContain("  empty\n");
  });

  test("fits a narrow terminal", async () => {
    const argv = ["describe", "orders", "--log", "log"];
    const { out } = await logCommand(directory, argv, { columns: 50 });
    for (const line of linesOf(out)) expect(line.length).toBeLessThanOrEqual(60);
    expect(linesOf(out)[3]!.length).toBe(50);
  });

  test("lists the newest segments, and all with --all", async () => {
    const log = await openStock(directory);
    for (let more = 0; more < 12; more++) await log.append("orders", 0, numbered(0, 8));
    await log.close();
    const [topic] = (await json("describe", "orders", "--partition", "0")) as DescribedTopic[];
    const { segments } = topic!.partitions[0]!;
    expect(segments.length).toBeGreaterThan(8);
    const rows = (out: string): string[] =>
      linesOf(out).filter((line) => /sealed|active/.test(line));
    const { out } = await run("describe", "orders", "--partition", "0");
    expect(rows(out).length).toBe(8);
    expect(out).toContain(`and ${segments.length - 8} older one`);
    const all = await run("describe", "orders", "--partition", "0", "--all");
    expect(rows(all.out).length).toBe(segments.length);
    expect(rows(all.out).at(-1)).toMatch(/^ {2}active +\d+ +191 +\d+ +[\d.]+ (Ki)?B +\d+ s$/);
  });

  test("--json gives segments, times and positions", async () => {
    const nowMs = Date.now();
    const [orders, ...others] = (await json("describe", "orders")) as DescribedTopic[];
    expect(others).toEqual([]);
    expect(orders!.partitions.map(({ partition }) => partition)).toEqual([0, 1]);
    const [first] = orders!.partitions;
    expect(first!.groups).toEqual([
      { groupId: "audit", offset: 96, lag: 0 },
      { groupId: "billing", offset: 40, lag: 56 },
    ]);
    for (const { firstAppendTime } of first!.segments) {
      expect(Math.abs(nowMs - firstAppendTime!)).toBeLessThan(60_000);
    }
    expect(first!.segments.map(({ sealed }) => sealed).lastIndexOf(true)).toBe(
      first!.segments.length - 2,
    );
    const [bills] = (await json("describe", "bills")) as DescribedTopic[];
    expect(bills!.partitions[0]).toMatchObject({ segments: [], lastAppendTime: null });
  });

  test.each([
    [["describe", "nope"], 1, 'topic must exist (there are: orders, bills): received "nope"'],
    [["describe", "bills", "--partition", "1"], 1, "partitions of bills are 0 to 0: received 1"],
    [["describe", "a", "b"], 2, 'the call is "headrace log describe [topic] --log DIR'],
    [["groups", "nope"], 1, "topic must exist"],
    [["topics", "orders"], 2, 'received "orders"'],
  ])("%j is refused", async (argv, expected, message) => {
    const { code, err, out } = await run(...argv);
    expect([code, out]).toEqual([expected, ""]);
    expect(err).toContain(message);
    expect(linesOf(err).length).toBe(1);
  });

  test("works beside a writer", async () => {
    const log = await openStock(directory);
    try {
      await log.append("bills", 0, [
        { key: null, value: null, headers: [], timestamp: 0, id: null },
      ]);
      expect((await run("describe", "bills")).out).toContain("bills  1 partition, 1 message, ");
      expect(await json("topics")).toMatchObject([{}, { topic: "bills", messages: 1 }]);
    } finally {
      await log.close();
    }
  });

  test("says in one line that a description is damaged", async () => {
    rmSync(join(directory, "log/store.json"));
    const { code, err } = await run("describe");
    expect([code, linesOf(err).length]).toEqual([1, 1]);
    expect(err).toContain("received no store.json in ");
  });
});

describe("headrace log groups", () => {
  test("lists groups with positions and lag, and says which run", async () => {
    const lock = new GroupOffsets(join(directory, "log/topics/1-orders/groups")).lock("audit", "-");
    try {
      const { pid } = process;
      expect(await json("groups")).toMatchObject([
        {
          groupId: "audit",
          topic: "orders",
          process: { pid },
          partitions: [{ partition: 0, offset: 96, lag: 0 }],
          lag: 0,
        },
        { groupId: "billing", process: null, partitions: [{ lag: 56 }, { lag: 40 }], lag: 96 },
      ]);
      const [heading, audit, billing] = linesOf((await run("groups", "orders")).out);
      expect(heading).toMatch(/^group +topic +partitions +lag$/);
      expect(audit).toMatch(new RegExp(`^audit +orders +1 +0 +runs in process ${pid}$`));
      expect(billing).toMatch(/^billing +orders +2 +96 +stopped$/);
      expect((await run("describe", "orders")).out).toContain(`  audit runs in process ${pid}\n`);
    } finally {
      lock.release();
    }
    expect(await json("groups", "bills")).toEqual([]);
  });
});
