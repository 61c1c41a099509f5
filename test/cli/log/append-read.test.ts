import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { RecordJson } from "../../../src/cli/log/record-json.ts";
import { removeTemporary, temporaryDirectory } from "../../log/temporary.ts";
import { fakeIo } from "../fake-io.ts";
import { linesOf, logCommand, type Outcome, outcomeOf } from "./command.ts";

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(removeTemporary);

async function append(input: string | readonly string[], ...argv: string[]): Promise<Outcome> {
  const chunks = typeof input === "string" ? [input] : input;
  return await logCommand(directory, ["append", "orders", "--log", "log", ...argv], {
    input: chunks,
  });
}

/** Paths of all `.log` files. */
function segmentFiles(): string[] {
  const names = readdirSync(join(directory, "log"), { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".log")).map((name) => join(directory, "log", name));
}

async function read(...argv: string[]): Promise<Outcome> {
  return await logCommand(directory, ["read", "orders", "--log", "log", ...argv]);
}

async function records(...argv: string[]): Promise<RecordJson[]> {
  const { code, out } = await read("--json", ...argv);
  expect(code).toBe(0);
  return linesOf(out).map((line) => JSON.parse(line) as RecordJson);
}

async function create(partitions: number): Promise<void> {
  const argv = ["create", "orders", "--log", "log", "--partitions", String(partitions)];
  expect(await logCommand(directory, argv)).toMatchObject({ code: 0, err: "" });
}

describe("headrace log create", () => {
  test("makes the log and the topic, and says so", async () => {
    const argv = ["create", "--topic", "orders", "--log", "log", "--partitions", "3", "--json"];
    const made = await logCommand(directory, argv);
    const out = '{"topic":"orders","partitions":3,"options":{}}\n';
    expect(made).toEqual({ code: 0, out, err: "" });
    const again = await logCommand(directory, ["create", "orders", "--log", "log"]);
    expect(again).toMatchObject({ code: 1, out: "" });
    expect(again.err).toBe(
      "headrace: Cannot create a topic as its name must be new: received orders\n",
    );
  });

  test.each([
    [["create", "--log", "log"], "Cannot create a topic as a topic is required: received none"],
    [["create", "orders"], "Cannot create a topic as --log is required: received nothing"],
    [["create", "a", "--topic", "b", "--log", "l"], "as the topic is given once: received a, b"],
    [["create", "a", "--log", "l", "--partitions", "0"], "--partitions must be a whole number"],
  ])("refuses %j", async (argv, message) => {
    const { code, err } = await logCommand(directory, argv);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });
});

describe("headrace log append and read", () => {
  test("lines become messages, and come back as they were", async () => {
    const appended = await append(["one\ntw", "o\n\nfour"]);
    expect(appended.code).toBe(0);
    expect(appended.err).toBe("Made orders with 1 partition\n");
    expect(appended.out).toMatch(/^Appended 4 messages to orders in .*\n {2}partition 0 {2}4 mes/);
    expect(await read()).toEqual({ code: 0, out: "one\ntwo\n\nfour\n", err: "" });
  });

  test("nothing on stdin appends nothing", async () => {
    const { code, out } = await append([], "--json");
    expect([code, JSON.parse(out)]).toMatchObject([0, { appended: 0, partitions: [] }]);
  });

  test("--json says how many went where", async () => {
    await create(2);
    const { out } = await append("a\nb\nc\n", "--json", "--partition", "1");
    expect(JSON.parse(out)).toMatchObject({
      topic: "orders",
      appended: 3,
      partitions: [{ partition: 1, messages: 3, firstOffset: 0, lastOffset: 2 }],
    });
  });

  test("--key-separator splits at its first place, and prints keys when reading", async () => {
    await append("a: 1: x\nb: 2\n: 3\n", "--key-separator", ": ");
    const read1 = await records();
    expect(read1.map(({ key, value }) => [key, value])).toEqual([
      ["a", "1: x"],
      ["b", "2"],
      ["", "3"],
    ]);
    expect((await read("--key-separator", "=")).out).toBe("a=1: x\nb=2\n=3\n");
  });

  test("--key gives all lines one key, so one partition", async () => {
    await create(4);
    await append("1\n2\n3\n", "--key", "customer");
    const all = await records();
    expect(new Set(all.map(({ partition }) => partition)).size).toBe(1);
    expect(all.map(({ key }) => key)).toEqual(["customer", "customer", "customer"]);
  });

  test("what read --json prints can be appended again", async () => {
    await create(2);
    const line = JSON.stringify({
      key: "k",
      value: { a: 1 },
      headers: { one: "1", two: ["x", "y"] },
      partition: 1,
      timestamp: 1000,
      id: "00112233-4455-6677-8899-aabbccddeeff",
    });
    await append(`${line}\n\n{"key":"t","value":null,"partition":0}\n`, "--format", "json");
    const printed = (await read("--json")).out;
    const copied = await logCommand(
      directory,
      ["append", "orders", "--log", "copy", "--format", "json", "--partition", "0"],
      { input: [printed] },
    );
    expect(copied.code).toBe(0);
    const copy = await logCommand(directory, ["read", "orders", "--log", "copy", "--json"]);
    const strip = (text: string): object[] =>
      linesOf(text).map((one) => {
        const { partition, offset, appendTime, timestamp, ...rest } = JSON.parse(one) as RecordJson;
        return rest;
      });
    expect(strip(copy.out)).toEqual(strip(printed));
    expect(strip(printed)[1]).toEqual({
      topic: "orders",
      key: "k",
      value: '{"a":1}',
      headers: { one: "1", two: ["x", "y"] },
      id: "00112233-4455-6677-8899-aabbccddeeff",
    });
  });

  test("--batch-messages bounds what is written together", async () => {
    await append(`${"x\n".repeat(7)}`, "--batch-messages", "3");
    const times = (await records()).map(({ offset }) => offset);
    expect(times).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("a bad line ends it; what stands before is appended, and it says how many", async () => {
    const input = '{"value":"a"}\n{"value":"b"}\nboo\n{"value":"c"}\n';
    const { code, err, out } = await append(input, "--format", "json");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain("Cannot append line 3 as each line must be a JSON object: received boo");
    expect(err).toContain("2 messages before it appended");
    expect((await read()).out).toBe("a\nb\n");
  });

  test("a line without the separator is refused", async () => {
    const { code, err } = await append("a=1\nb\n", "--key-separator", "=");
    expect([code, err]).toEqual([1, expect.stringContaining("line 2 as it must hold the separat")]);
    expect((await read()).out).toBe("1\n");
  });

  test("a partition that is not there is refused, and nothing is written", async () => {
    await create(2);
    const { code, err } = await append("a\n", "--partition", "2");
    expect([code, err]).toEqual([
      1,
      expect.stringContaining("partition must be an integer in [0,"),
    ]);
    expect((await read()).out).toBe("");
  });

  test.each([
    [["--format", "csv"], 2, "--format must be lines or json"],
    [["--key", "a", "--key-separator", "b"], 2, "keys come from one place: received --key, --key-"],
    [["--key", "a", "--format", "json"], 2, "keys come from one place: received --key with JSON"],
    [["--batch-messages", "0"], 2, "--batch-messages must be a whole number from 1"],
  ])("append refuses %j and makes no log", async (argv, expected, message) => {
    const { code, err } = await append("a\n", ...argv);
    expect([code, err]).toEqual([expected, expect.stringContaining(message)]);
    expect(existsSync(join(directory, "log"))).toBe(false);
  });

  test("a signal appends what has come, says it, and leaves with the signal's code", async () => {
    let release: () => void = () => {};
    const first = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* typing(): AsyncGenerator<Uint8Array, void, undefined> {
      yield new TextEncoder().encode("one\ntwo\nhalf a li");
      release();
      await new Promise(() => {}); // Nothing more is typed.
    }
    const io = fakeIo({ cwd: directory, input: typing() });
    const done = outcomeOf(io, ["append", "orders", "--log", "log", "--json"]);
    await first;
    io.send("SIGINT");
    const { code, out } = await done;
    expect([code, JSON.parse(out)]).toMatchObject([130, { appended: 2 }]);
    expect((await read()).out).toBe("one\ntwo\n");
  });

  test("leaves out records whose id is known, and says how many", async () => {
    const argv = ["create", "orders", "--log", "log", "--deduplication-ttl-ms", "600000"];
    expect((await logCommand(directory, argv)).code).toBe(0);
    const line = (digit: number): string =>
      `{"value":"v${digit}","id":"00000000-0000-0000-0000-00000000000${digit}"}\n`;
    const first = await append(line(1) + line(2) + line(1), "--format", "json", "--json");
    expect(JSON.parse(first.out)).toMatchObject({
      appended: 2,
      duplicates: 1,
      partitions: [{ partition: 0, messages: 2, firstOffset: 0, lastOffset: 1 }],
    });
    const second = await append(line(2) + line(3), "--format", "json");
    expect(second.out).toContain("Appended 1 message to orders");
    expect(second.out).toContain("  1 message with a known id left out\n");
    expect(second.out).toContain("  partition 0  1 message  offset 2\n");
    expect((await read()).out).toBe("v1\nv2\nv3\n");
  });

  test("says that a torn tail was cut off, and goes on behind it", async () => {
    await append("a\nb\n");
    const [segment] = segmentFiles();
    appendFileSync(segment!, "torn");
    const { code, err } = await append("c\n");
    expect([code, err]).toEqual([0, "orders#0: cut 4 bytes that a crash left behind offset 1\n"]);
    expect((await read()).out).toBe("a\nb\nc\n");
  });

  test("on a terminal it says how to end", async () => {
    const argv = ["append", "orders", "--log", "log"];
    const { err } = await logCommand(directory, argv, { terminal: true, input: ["a\n"] });
    expect(err).toContain("Each line is a message; Ctrl-D ends");
  });
});

describe("headrace log read", () => {
  const numbers = (first: number, last: number): string =>
    Array.from({ length: last - first + 1 }, (_, at) => `${first + at}\n`).join("");

  test.each([
    [[], numbers(0, 9)],
    [["--from", "7"], numbers(7, 9)],
    [["--from", "-2"], numbers(8, 9)],
    [["--from", "-200"], numbers(0, 9)],
    [["--from", "3", "--until", "5"], numbers(3, 4)],
    [["--until", "-8"], numbers(0, 1)],
    [["--from", "latest"], ""],
    [["--from", "10"], ""],
    [["--from", "5", "--until", "5"], ""],
    [["--from", "5", "--until", "2"], ""],
    [["--max-messages", "2"], numbers(0, 1)],
    [["--from", "4", "--max-messages", "3", "--partition", "0"], numbers(4, 6)],
  ])("%j prints what lies there", async (argv, out) => {
    await append(numbers(0, 9), "--batch-messages", "4");
    expect(await read(...argv)).toEqual({ code: 0, out, err: "" });
  });

  test.each([
    [["--from", "1h"], numbers(0, 9)],
    [["--until", "1h"], ""],
    [["--from", "2999-01-01"], ""],
    [["--until", "2999-01-01T00:00Z"], numbers(0, 9)],
  ])("%j prints what was appended then", async (argv, out) => {
    await append(numbers(0, 9), "--batch-messages", "4");
    expect(await read(...argv)).toEqual({ code: 0, out, err: "" });
  });

  test("a time is that of the append, and the first message of it counts", async () => {
    await append(numbers(0, 9), "--batch-messages", "1");
    const all = await records();
    for (const { appendTime } of all) {
      const time = new Date(appendTime).toISOString();
      const first = all.findIndex((one) => one.appendTime >= appendTime);
      expect((await read("--from", time)).out).toBe(numbers(first, 9));
      expect((await read("--until", time)).out).toBe(numbers(0, first - 1));
    }
  });

  test("partitions come one after the other, and --max-messages counts over all", async () => {
    await create(3);
    for (const partition of ["2", "0"]) await append("a\nb\n", "--partition", partition);
    const places = (await records()).map(({ partition, offset }) => [partition, offset]);
    expect(places).toEqual([
      [0, 0],
      [0, 1],
      [2, 0],
      [2, 1],
    ]);
    expect((await records("--max-messages", "3")).length).toBe(3);
    expect((await records("--from", "-1")).map(({ offset }) => offset)).toEqual([1, 1]);
  });

  test("stops when the reader of its output has gone", async () => {
    await append(numbers(0, 9), "--batch-messages", "1");
    const argv = ["read", "orders", "--log", "log"];
    const { code, out } = await logCommand(directory, argv, { readerLeavesAfter: 2 });
    expect([code, out]).toEqual([0, "0\n1\n"]);
  });

  test.each([
    [["--from", "11"], 1, "offsets of orders#0 are 0 to 10: received 11"],
    [["--until", "11"], 1, "offsets of orders#0 are 0 to 10: received 11"],
    [["--from", "soon"], 2, "--from must be earliest, latest, an offset"],
    [["--partition", "1"], 1, "partitions of orders are 0 to 0: received 1"],
    [["--partition", "x"], 2, "--partition must be a whole number"],
    [["--max-messages", "0"], 2, "--max-messages must be a whole number"],
    [["--json", "--key-separator", "="], 2, "--json prints keys itself"],
  ])("refuses %j", async (argv, expected, message) => {
    await append(numbers(0, 9));
    const { code, err, out } = await read(...argv);
    expect([code, err, out]).toEqual([expected, expect.stringContaining(message), ""]);
  });

  test("a damaged batch ends it: what stands before is printed, and the damage is named", async () => {
    await append(numbers(0, 9), "--batch-messages", "5");
    const [segment] = segmentFiles();
    const bytes = readFileSync(segment!);
    bytes[bytes.indexOf("HRB1", 1)] = 0;
    writeFileSync(segment!, bytes);
    const { code, err, out } = await read();
    expect([code, linesOf(err).length]).toEqual([1, 1]);
    expect(err).toMatch(/received no batch magic at position \d+ of .*00000\.log$/m);
    expect(out).toBe(numbers(0, 4));
    // Whoever would write refuses too: the disk had said that it is there.
    const refused = await append("x\n");
    expect([refused.code, linesOf(refused.err).length]).toEqual([1, 1]);
    expect(refused.err).toContain("every batch must be intact: received no batch magic");
  });

  test("an offset in a topic of several partitions needs one of them", async () => {
    await create(2);
    const { code, err } = await read("--from", "0");
    expect([code, err]).toEqual([
      2,
      "headrace: Cannot read as --from with an offset needs --partition: " +
        "received orders with 2 partitions\n",
    ]);
    expect((await read("--from", "0", "--partition", "1")).code).toBe(0);
  });

  test("a topic that is not there is refused, naming those that are", async () => {
    await create(1);
    const { code, err } = await logCommand(directory, ["read", "bills", "--log", "log"]);
    expect([code, err]).toEqual([
      1,
      'headrace: Cannot read as the topic must exist (there are: orders): received "bills"\n',
    ]);
  });

  test("a directory that is missing or holds no log is refused, and nothing is made", async () => {
    const missing = await read();
    expect([missing.code, missing.err]).toEqual([
      2,
      'headrace: Cannot read as --log must be a directory: received "log"\n',
    ]);
    expect(existsSync(join(directory, "log"))).toBe(false);
    mkdirSync(join(directory, "log"));
    const empty = await read();
    expect([empty.code, empty.err]).toEqual([
      2,
      "headrace: Cannot read as --log must be the directory of a log: " +
        'received "log" without store.json\n',
    ]);
  });
});
