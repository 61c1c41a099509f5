import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { GroupOffsets } from "../../../src/log/group-offsets.ts";
import { removeTemporary, temporaryDirectory } from "../../log/temporary.ts";
import type { FakeIoOptions } from "../fake-io.ts";
import { linesOf, logCommand, type Outcome, spawnLogCommand } from "./command.ts";
import { MESSAGES, openStock, stockLog } from "./stocked-log.ts";

let directory: string;
beforeEach(async () => {
  directory = temporaryDirectory();
  await stockLog(directory);
});
afterEach(removeTemporary);

async function run(argv: readonly string[], options?: FakeIoOptions): Promise<Outcome> {
  return await logCommand(directory, [...argv, "--log", "log"], options);
}

/** Stored offsets of a group in orders, by partition. */
async function stored(groupId: string): Promise<(number | null)[]> {
  const log = await openStock(directory);
  const offsets = await log.committed(groupId, "orders");
  await log.close();
  return offsets.map(({ offset }) => offset);
}

async function topicNames(): Promise<string[]> {
  const { out } = await run(["topics", "--json"]);
  return (JSON.parse(out) as { topic: string }[]).map(({ topic }) => topic);
}

describe("headrace log offsets", () => {
  test("shows what a group has stored", async () => {
    const { code, out, err } = await run(["offsets", "--group", "billing", "--json"]);
    expect([code, err]).toEqual([0, ""]);
    expect(JSON.parse(out)).toEqual([
      {
        topic: "orders",
        partition: 0,
        logStart: 0,
        logEnd: MESSAGES,
        offset: 40,
        lag: 56,
        metadata: "",
      },
      {
        topic: "orders",
        partition: 1,
        logStart: 0,
        logEnd: 48,
        offset: 8,
        lag: 40,
        metadata: "text",
      },
    ]);
    const [heading, first, second] = linesOf((await run(["offsets", "--group", "audit"])).out);
    expect(heading).toMatch(/^partition +start +end +offset +lag$/);
    expect(first).toMatch(/^orders#0 +0 +96 +96 +0$/);
    expect(second).toMatch(/^orders#1 +0 +48 +- +-$/);
  });

  test("--to shows where the group would go on, and changes nothing", async () => {
    const { code, out, err } = await run(["offsets", "orders", "--group", "billing", "--to", "-5"]);
    expect([code, err]).toEqual([0, "Nothing is changed without --set\n"]);
    expect(linesOf(out)[0]).toMatch(/would be$/);
    expect(linesOf(out)[1]).toMatch(/^orders#0 +0 +96 +40 +56 +91$/);
    expect(await stored("billing")).toEqual([40, 8]);
  });

  test.each([
    [
      ["--to", "earliest"],
      [0, 0],
    ],
    [
      ["--to", "latest"],
      [96, 48],
    ],
    [
      ["--to", "-3"],
      [93, 45],
    ],
    [
      ["--to", "1h"],
      [0, 0],
    ],
    [
      ["--to", "2999-01-01"],
      [96, 48],
    ],
    [
      ["--to", "17", "--partition", "0"],
      [17, 8],
    ],
    [
      ["--to", "48", "--partition", "1"],
      [40, 48],
    ],
  ])("%j --set stores it", async (argv, offsets) => {
    const { code, out, err } = await run([
      "offsets",
      "orders",
      "--group",
      "billing",
      "--set",
      ...argv,
    ]);
    expect([code, err]).toEqual([0, ""]);
    expect(linesOf(out)[0]).toMatch(/set to$/);
    expect(await stored("billing")).toEqual(offsets);
  });

  test("--set works beside a writer, and for a group that is new", async () => {
    const log = await openStock(directory);
    try {
      const argv = ["offsets", "orders", "--group", "new", "--to", "latest", "--set", "--json"];
      expect(JSON.parse((await run(argv)).out)).toMatchObject([
        { partition: 0, offset: null, lag: null, to: 96 },
        { partition: 1, to: 48 },
      ]);
    } finally {
      await log.close();
    }
    expect(await stored("new")).toEqual([96, 48]);
  });

  test("a group that runs is refused, naming its process, and nothing changes", async () => {
    const lock = new GroupOffsets(join(directory, "log/topics/1-orders/groups")).lock(
      "billing",
      "-",
    );
    try {
      const argv = ["offsets", "orders", "--group", "billing", "--to", "earliest", "--set"];
      const { code, err, out } = await run(argv);
      expect([code, out, linesOf(err).length]).toEqual([1, "", 1]);
      expect(err).toContain("group billing must have no member: received ");
      expect(err).toContain(`pid ${process.pid}`);
    } finally {
      lock.release();
    }
    expect(await stored("billing")).toEqual([40, 8]);
  });

  test.each([
    [["offsets"], 2, "--group is required"],
    [["offsets", "--group", "nope"], 1, 'group must have stored some: received "nope" without any'],
    [["offsets", "nope", "--group", "billing"], 1, "topic must exist"],
    [["offsets", "--group", "billing", "--partition", "0"], 2, "a topic is required"],
    [["offsets", "--group", "billing", "--to", "latest"], 2, "a topic is required"],
    [["offsets", "orders", "--group", "billing", "--set"], 2, "--set needs --to: received none"],
    [["offsets", "orders", "--group", "billing", "--to", "5"], 2, "--to with an offset needs --pa"],
    [["offsets", "orders", "--group", "g", "--to", "x", "--set"], 2, "--to must be earliest,"],
    [
      ["offsets", "orders", "--group", "g", "--partition", "0", "--to", "97", "--set"],
      1,
      "offsets of orders#0 are 0 to 96: received 97",
    ],
    [
      ["offsets", "orders", "--group", "g", "--partition", "2", "--to", "0", "--set"],
      1,
      "partitions of orders are 0 to 1: received 2",
    ],
  ])("%j is refused", async (argv, expected, message) => {
    const { code, err, out } = await run(argv);
    expect([code, out, linesOf(err).length]).toEqual([expected, "", 1]);
    expect(err).toContain(message);
    expect(await stored("billing")).toEqual([40, 8]);
  });
});

describe("headrace log delete", () => {
  test("removes a topic with --yes", async () => {
    const { code, out, err } = await run(["delete", "orders", "--yes"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toBe("Deleted orders with 144 messages and the offsets of 2 groups\n");
    expect(await topicNames()).toEqual(["bills"]);
    expect(readdirSync(join(directory, "log/topics"))).toEqual(["2-bills"]);
  });

  test("removes a group's offsets with --yes, and no message", async () => {
    const { code, out } = await run(["delete", "--group", "billing", "--yes", "--json"]);
    expect([code, JSON.parse(out)]).toEqual([0, { groupId: "billing", topics: ["orders"] }]);
    expect(await stored("billing")).toEqual([null, null]);
    expect(await stored("audit")).toEqual([96, null]);
    expect((await run(["topics"])).out).toContain("144");
  });

  test.each([
    ["y\n", 0],
    ["YES\n", 0],
    ["n\n", 1],
    ["\n", 1],
    ["yesterday\n", 1],
    ["", 1],
  ])("asks on a terminal: %j gives %d", async (answer, expected) => {
    const { code, err } = await run(["delete", "orders"], { terminal: true, input: [answer] });
    expect(code).toBe(expected);
    const question = "Delete orders with 144 messages and the offsets of 2 groups? [y/N] ";
    expect(err).toBe(expected === 0 ? question : `${question}Nothing is deleted\n`);
    expect(await topicNames()).toEqual(expected === 0 ? ["bills"] : ["orders", "bills"]);
  });

  test("a topic that a group reads is refused", async () => {
    const lock = new GroupOffsets(join(directory, "log/topics/1-orders/groups")).lock("audit", "-");
    try {
      const { code, err } = await run(["delete", "orders", "--yes"]);
      const message = `Cannot delete as no group may run: received audit in process ${process.pid}`;
      expect([code, err]).toEqual([1, `headrace: ${message}\n`]);
    } finally {
      lock.release();
    }
    expect(await topicNames()).toEqual(["orders", "bills"]);
  });

  test("a group that runs is refused", async () => {
    const lock = new GroupOffsets(join(directory, "log/topics/1-orders/groups")).lock(
      "billing",
      "-",
    );
    try {
      const { code, err } = await run(["delete", "--group", "billing", "--yes"]);
      expect([code, err]).toEqual([1, expect.stringContaining("must have no member")]);
    } finally {
      lock.release();
    }
    expect(await stored("billing")).toEqual([40, 8]);
  });

  test.each([
    [["delete", "orders"], 2, "--yes is required without a terminal"],
    [["delete", "--group", "billing"], 2, "--yes is required without a terminal"],
    [["delete", "--yes"], 2, "a topic is required"],
    [["delete", "nope", "--yes"], 1, "topic must exist (there are: orders, bills)"],
    [["delete", "--group", "nope", "--yes"], 1, 'received "nope" without any'],
    [["delete", "bills", "--group", "audit", "--yes"], 1, "without any in bills"],
    [["delete", "nope", "--group", "audit", "--yes"], 1, "topic must exist"],
  ])("%j is refused and removes nothing", async (argv, expected, message) => {
    const { code, err, out } = await run(argv);
    expect([code, out, linesOf(err).length]).toEqual([expected, "", 1]);
    expect(err).toContain(message);
    expect(await topicNames()).toEqual(["orders", "bills"]);
    expect(await stored("billing")).toEqual([40, 8]);
  });
});

describe("headrace log beside another process that writes", () => {
  test("commands that write are refused, naming it; those that read work", async () => {
    const writer = spawnLogCommand(directory, ["append", "bills", "--log", "log"]);
    const exited = new Promise((resolve) => writer.once("close", resolve));
    try {
      writer.stdin!.write("first\n");
      // Its first message is there, so it has the log.
      const tail = await run(["tail", "bills", "--from", "earliest", "--max-messages", "1"]);
      expect(tail).toEqual({ code: 0, out: "first\n", err: "" });
      for (const argv of [
        ["create", "new"],
        ["append", "bills"],
        ["delete", "bills", "--yes"],
      ]) {
        const { code, err, out } = await run(argv, { input: ["x\n"] });
        expect([code, out, linesOf(err).length]).toEqual([1, "", 1]);
        expect(err).toContain("one process writes at a time: received ");
        expect(err).toContain(`process ${writer.pid} (pid ${writer.pid} on `);
      }
      expect((await run(["read", "bills"])).out).toBe("first\n");
      const verified = await run(["verify"]);
      expect([verified.code, linesOf(verified.out)[0]]).toEqual([
        0,
        expect.stringMatching(new RegExp(`^Process ${writer.pid} on .* writes here$`)),
      ]);
    } finally {
      writer.stdin!.end();
      await exited;
    }
  }, 30_000);
});
