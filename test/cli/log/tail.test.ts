import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Log } from "../../../src/adapters/log.ts";
import { record, removeTemporary, temporaryDirectory } from "../../log/temporary.ts";
import { type FakeIo, fakeIo } from "../fake-io.ts";
import { linesOf, logCommand, type Outcome, outcomeOf } from "./command.ts";
import { openStock } from "./stocked-log.ts";

let directory: string;
let log: Log;
beforeEach(async () => {
  directory = temporaryDirectory();
  log = await openStock(directory);
});
afterEach(async () => {
  await log.close();
  removeTemporary();
});

/** A tail that runs: its Io, its end, and a wait for its output. */
interface Tail {
  readonly io: FakeIo;
  readonly ended: Promise<Outcome>;
  /** Settles when it has printed so many lines. */
  printed(lines: number): Promise<void>;
}

function tail(...argv: string[]): Tail {
  const waiting = new Map<number, () => void>();
  let seen = 0;
  const io = fakeIo({
    cwd: directory,
    onOutput: (out) => {
      seen = linesOf(out).length;
      for (const [lines, resolve] of waiting) if (seen >= lines) resolve();
    },
  });
  const ended = outcomeOf(io, ["tail", "orders", "--log", "log", ...argv]);
  const printed = (lines: number): Promise<void> =>
    new Promise((resolve) => {
      waiting.set(lines, resolve);
      if (seen >= lines) resolve();
    });
  return { io, ended, printed };
}

async function append(partition: number, ...values: string[]): Promise<void> {
  await log.append(
    "orders",
    partition,
    values.map((value) => record("k", value)),
  );
}

describe("headrace log tail", () => {
  test("prints what comes to any partition, and ends with a signal and code 0", async () => {
    await append(0, "old");
    const running = tail("--from", "-1");
    await running.printed(1);
    await append(0, "a", "b");
    await running.printed(3);
    await append(1, "c");
    await running.printed(4);
    running.io.send("SIGTERM");
    expect(await running.ended).toEqual({ code: 0, out: "old\na\nb\nc\n", err: "" });
  });

  test("--from earliest begins at the first message, --max-messages ends it", async () => {
    await append(0, "a", "b");
    const running = tail("--from", "earliest", "--max-messages", "3", "--key-separator", ":");
    await running.printed(2);
    await append(0, "c", "d");
    expect(await running.ended).toEqual({ code: 0, out: "k:a\nk:b\nk:c\n", err: "" });
  });

  test("--json prints one object per message; --partition leaves the others out", async () => {
    const running = tail("--from", "earliest", "--partition", "1", "--json", "--max-messages", "2");
    await append(0, "x");
    await append(1, "a");
    await running.printed(1);
    await append(1, "b");
    const { code, out } = await running.ended;
    expect(code).toBe(0);
    expect(linesOf(out).map((line) => JSON.parse(line))).toMatchObject([
      { topic: "orders", partition: 1, offset: 0, value: "a" },
      { topic: "orders", partition: 1, offset: 1, value: "b" },
    ]);
  });

  test("reads partitions that the topic gains", async () => {
    const running = tail("--from", "earliest");
    await append(0, "a");
    await running.printed(1);
    const { openLog } = await import("../../../src/adapters/log.ts");
    const grown = await openLog(`${directory}/log`, { topics: { orders: { partitions: 3 } } });
    await append(2, "new");
    await running.printed(2);
    await append(2, "more");
    await running.printed(3);
    running.io.send("SIGINT");
    expect((await running.ended).out).toBe("a\nnew\nmore\n");
    await grown.close();
  });

  test("ends when the reader of its output has gone", async () => {
    await append(0, "a");
    const argv = ["tail", "orders", "--log", "log", "--from", "earliest"];
    const { code, out } = await logCommand(directory, argv, { readerLeavesAfter: 1 });
    expect([code, out]).toEqual([0, "a\n"]);
  });

  test("fails when the topic is deleted", async () => {
    await append(0, "a");
    const running = tail("--from", "earliest");
    await running.printed(1);
    await log.deleteTopic("orders");
    const { code, err } = await running.ended;
    expect([code, linesOf(err).length]).toEqual([1, 1]);
    expect(err).toContain("the topic must exist");
  });

  test.each([
    [["tail", "nope"], 1, "the topic must exist"],
    [["tail", "orders", "--partition", "2"], 1, "partitions of orders are 0 to 1: received 2"],
    [["tail", "orders", "--from", "0"], 2, "--from with an offset needs --partition"],
    [["tail", "orders", "--from", "1", "--partition", "0"], 1, "orders#0 are 0 to 0: received 1"],
    [["tail", "orders", "--until", "latest"], 2, "received --until"],
    [["tail"], 2, "a topic is required"],
  ])("%j is refused", async (argv, expected, message) => {
    const { code, err, out } = await logCommand(directory, [...argv, "--log", "log"]);
    expect([code, out, linesOf(err).length]).toEqual([expected, "", 1]);
    expect(err).toContain(message);
  });
});
