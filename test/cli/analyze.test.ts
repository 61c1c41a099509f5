import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLog } from "../../src/adapters/log.ts";
import { main } from "../../src/cli/cli.ts";
import { analyzeDistribution, type DistributionReport } from "../../src/tools/index.ts";
import { record } from "../log/temporary.ts";
import { type FakeIo, type FakeIoOptions, fakeIo } from "./fake-io.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "headrace-analyze-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const ioFor = (options: FakeIoOptions = {}): FakeIo => fakeIo({ cwd: directory, ...options });

async function analyze(argv: readonly string[], io: FakeIo = ioFor()): Promise<string> {
  const code = await main(["analyze", ...argv], io);
  expect([code, io.output.err]).toEqual([0, ""]);
  return io.output.out;
}

async function report(argv: readonly string[], io?: FakeIo): Promise<DistributionReport> {
  return JSON.parse(await analyze([...argv, "--json"], io)) as DistributionReport;
}

/** 620 of 1000 keys are x. */
const HOT_KEYS = Array.from({ length: 1000 }, (_, at) => (at % 50 < 31 ? "x" : `k${at}`));

function keyFile(keys: readonly string[], newline = "\n"): string {
  writeFileSync(join(directory, "keys.txt"), keys.map((key) => key + newline).join(""));
  return "keys.txt";
}

/** Two partitions of `orders`: values {"tenant": …}, headers `shop`; and the empty topic `none`. */
async function writeLog(): Promise<void> {
  const log = await openLog(join(directory, "log"), {
    topics: { orders: { partitions: 2 }, none: { partitions: 1 } },
  });
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  for (const [partition, count] of [300, 100].entries()) {
    const records = Array.from({ length: count }, (_, at) => ({
      ...record(`k${partition}-${at}`, JSON.stringify({ tenant: { id: at % 3 } })),
      headers: [["shop", bytes(`s${at % 5}`)]] as const,
    }));
    await log.append("orders", partition, records);
  }
  await log.close();
}

describe("headrace analyze of keys", () => {
  test("prints headline, statistics, counts and hot keys", async () => {
    const out = await analyze([keyFile(HOT_KEYS), "--partitions", "5"]);
    expect(out.split("\n").slice(0, 3)).toEqual([
      "keys.txt  1,000 messages in 5 partitions, placed by murmur2",
      "hot key `x` has 62 %: salt it 5 ways or use per-key",
      "",
    ]);
    expect(out).toMatch(/imbalance {2}3\.\d\d {2}critical; busiest against the mean/);
    expect(out).toMatch(/\n {2}0 +\d+ +\d+(\.\d)? % {2}━+\n {2}1 /);
    expect(out).toMatch(/most frequent of 381 different keys\n {2}`x` +620 +62 % {2}━+\n/);
  });

  test("is what analyzeDistribution() says, with --json", async () => {
    const path = keyFile(HOT_KEYS);
    const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
    const byHash = await report([path, "--partitions", "5", "--hash", "xxh32"]);
    const hashed = { sample: HOT_KEYS, partitions: 5, placement: "xxh32" } as const;
    expect(byHash).toEqual(plain(analyzeDistribution(hashed)) as DistributionReport);
    const options = ["--distribution", "balanced", "--batch-size", "50", "--handler-ms", "2.5"];
    const virtual = await report([path, "--max-partitions", "4", ...options]);
    const chosen = { distribution: "balanced", batchSize: 50, handlerMs: 2.5 } as const;
    const expected = analyzeDistribution({ sample: HOT_KEYS, partitions: 4, ...chosen });
    expect(virtual).toEqual(plain(expected) as DistributionReport);
  });

  test("predicts and chooses for virtual partitions", async () => {
    const out = await analyze([keyFile(HOT_KEYS), "--max-partitions", "40"]);
    expect(out).toContain("messages per virtual partition, mean 25");
    expect(out).toContain("virtual partitions 0 to 39");
    expect(out).toContain("predicted for handlers that wait 10 ms, 40 calls at once");
    expect(out).toMatch(/\n {2}choose per-key: as fast as the others/);
  });

  test("reads standard input, empty lines, \\r\\n, bytes that are no text, and no last newline", async () => {
    const bytes = new Uint8Array([
      0xff, 0xfe, 0x0d, 0x0a, 0x0a, 0x61, 0x0d, 0x0a, 0x0d, 0x0a, 0x61,
    ]);
    const halves = [bytes.slice(0, 1), bytes.slice(1, 8), bytes.slice(8)];
    const { total, hotKeys, keys } = await report(
      ["-", "--partitions", "2"],
      ioFor({ input: halves }),
    );
    expect([total, keys?.distinct, keys?.withoutKey]).toEqual([5, 2, 2]);
    expect(hotKeys.map(({ key, keyBase64, count }) => [key ?? keyBase64, count])).toEqual([
      ["a", 2],
      ["//4=", 1],
    ]);
  });

  test("writes the report as a page, too, and says where", async () => {
    const out = await analyze([keyFile(HOT_KEYS), "--partitions", "5", "--html", "page.html"]);
    expect(out.trimEnd().split("\n").at(-1)).toBe("The same as a page: page.html");
    const page = readFileSync(join(directory, "page.html"), "utf8");
    expect(page).toContain("hot key <code>x</code> has 62 %: salt it 5 ways or use per-key");
  });

  test("stops after --max-messages", async () => {
    const options = ["--partitions", "2", "--max-messages", "7"];
    expect((await report([keyFile(HOT_KEYS), ...options])).total).toBe(7);
  });

  test("writes keys so that a terminal cannot be misled by them", async () => {
    const out = await analyze([keyFile(Array(300).fill("\u001b[2Jx")), "--partitions", "3"]);
    expect(out).toContain("`\\u{1b}[2Jx`");
    expect(out).not.toContain("\u001b");
  });

  test("shows on a terminal how far it is", async () => {
    const lines = Array.from({ length: 400 }, () => "k\n".repeat(1000));
    writeFileSync(join(directory, "many.txt"), lines.join(""));
    const io = ioFor({ terminal: true });
    expect(await main(["analyze", "many.txt", "--partitions", "3"], io)).toBe(0);
    expect(io.output.out).toContain("400,000 messages");
    // Drawn after 100 ms; a quick machine may be done before.
    if (io.output.err !== "") expect(io.output.err).toMatch(/read {2}━*─* +\d+ % {2}[\d,]+ {2}/);
  });

  test("stops at a signal, and reports what it has read", async () => {
    let io = ioFor();
    async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
      for (let at = 0; ; at++) {
        if (at === 3) io.send("SIGINT");
        yield new TextEncoder().encode("a\nb\n");
      }
    }
    io = ioFor({ input: endless() });
    expect(await main(["analyze", "-", "--partitions", "2"], io)).toBe(130);
    expect(io.output.out).toContain("note: stopped by a signal: only what was read until then");
    expect(io.output.out).toMatch(/^standard input {2}[1-9]\d? messages/);
  });
});

describe("headrace analyze of a log's topic", () => {
  beforeEach(writeLog);
  const topic = ["--topic", "orders", "--log", "log"];

  test("judges it as it lies", async () => {
    const found = await report(topic);
    expect(found).toMatchObject({ placement: "recorded", counts: [300, 100] });
    expect(await analyze(topic)).toContain("orders  400 messages in 2 partitions, as they lie");
  });

  test("places it anew", async () => {
    const { counts, placement } = await report([...topic, "--partitions", "3"]);
    expect([counts.length, placement]).toEqual([3, "murmur2"]);
    const out = await analyze([...topic, "--max-partitions", "4"]);
    expect(out).toContain("virtual partitions of 2 partitions are taken together; --partition N");
  });

  test("reads one partition, and the last messages only", async () => {
    const one = [...topic, "--partition", "1", "--max-partitions", "4"];
    expect((await report(one)).total).toBe(100);
    expect(await analyze(one)).not.toContain("taken together");
    expect((await report([...topic, "--last", "40"])).counts).toEqual([40, 40]);
    expect((await report([...topic, "--last", "140"])).counts).toEqual([140, 100]);
  });

  test("takes keys from headers and values", async () => {
    const of = async (key: string): Promise<number | undefined> =>
      (await report([...topic, "--max-partitions", "2", "--key", key])).keys?.distinct;
    expect(await of("header:shop")).toBe(5);
    expect(await of("json:tenant.id")).toBe(3);
    expect(await of("key")).toBe(400);
    expect((await report([...topic, "--key", "header:none"])).keys?.withoutKey).toBe(400);
  });

  test("leaves the log as it is", async () => {
    const log = await openLog(join(directory, "log"));
    await log.close();
    const before = readFileSync(join(directory, "log", "store.json"), "utf8");
    await report(topic);
    expect(readFileSync(join(directory, "log", "store.json"), "utf8")).toBe(before);
  });
});

describe("headrace analyze refuses", () => {
  const cases: [argv: string[], code: number, message: string][] = [
    [[], 2, "one of a file, - and --topic is required: received none"],
    [["a", "--topic", "b"], 2, "one of a file, - and --topic is required: received both"],
    [["no.txt", "--partitions", "2"], 2, 'keys must be in a file or in "-": received "no.txt"'],
    [[".", "--partitions", "2"], 2, 'keys must be in a file or in "-": received "."'],
    [
      ["keys.txt"],
      2,
      "one of --partitions and --max-partitions is required with keys: received none",
    ],
    [["keys.txt", "--partitions", "0"], 2, "--partitions must be a whole number from 1 to 65536"],
    [["keys.txt", "--partitions=-3"], 2, "--partitions must be a whole number from 1 to 65536"],
    [
      ["keys.txt", "--partitions", "NaN"],
      2,
      '--partitions must be a whole number from 1 to 65536: received "NaN"',
    ],
    [
      ["keys.txt", "--partitions", "2", "--max-partitions", "2"],
      2,
      "one of --partitions and --max-partitions is given",
    ],
    [
      ["keys.txt", "--partitions", "2", "--hash", "md5"],
      2,
      "--hash must be murmur2, murmur3 or xxh32",
    ],
    [
      ["keys.txt", "--max-partitions", "2", "--hash", "xxh32"],
      2,
      "--hash works with --partitions only",
    ],
    [
      ["keys.txt", "--partitions", "2", "--handler-ms", "5"],
      2,
      "--handler-ms works with --max-partitions only",
    ],
    [
      ["keys.txt", "--partitions", "2", "--distribution", "balanced"],
      2,
      "--distribution works with --max-partitions only",
    ],
    [
      ["keys.txt", "--partitions", "2", "--log", "log"],
      2,
      '--log works with --topic only: received "keys.txt"',
    ],
    [["keys.txt", "--partitions", "2", "--key", "key"], 2, "--key works with --topic only"],
    [["empty.txt", "--partitions", "2"], 1, "empty.txt must have messages: received none"],
    [
      ["keys.txt", "--partitions", "2", "--html", "no/page.html"],
      2,
      '--html must be a file in a directory: received "no/page.html"',
    ],
    [["keys.txt", "--partitions", "2", "--html", "."], 2, "--html must be a file in a directory"],
    [["--topic", "orders"], 2, "one of --brokers and --log is required: received none"],
    [["--topic", "orders", "--log", "nowhere"], 2, '--log must be a directory: received "nowhere"'],
    [
      ["--topic", "orders", "--brokers", "here"],
      2,
      '--brokers must be HOST:PORT[,…]: received "here"',
    ],
    [["--topic", "bills", "--log", "log"], 1, "the topic must exist (there are: "],
    [["--topic", "none", "--log", "log"], 1, "none must have messages: received none"],
    [
      ["--topic", "orders", "--log", "log", "--partition", "2", "--partitions", "2"],
      1,
      "partitions of orders are 0 to 1: received 2",
    ],
    [
      ["--topic", "orders", "--log", "log", "--partition", "1"],
      2,
      "is required with one partition: received none",
    ],
    [
      ["--topic", "orders", "--log", "log", "--key", "value"],
      2,
      "--key must be key, header:NAME or json:PATH",
    ],
    [
      ["--topic", "orders", "--log", "log", "--key", "json:tenant"],
      1,
      "must be string, number, bigint, bytes or null",
    ],
  ];
  test("what does not fit together, in one line each", async () => {
    await writeLog();
    keyFile(HOT_KEYS);
    writeFileSync(join(directory, "empty.txt"), "");
    for (const [argv, expectedCode, message] of cases) {
      const io = ioFor();
      const code = await main(["analyze", ...argv], io);
      expect(io.output.err).toContain("headrace: Cannot analyze ");
      expect(io.output.err).toContain(message);
      expect(io.output.err.trim().split("\n").length).toBe(1);
      expect([argv, code]).toEqual([argv, expectedCode]);
      expect(io.output.out).toBe("");
    }
  });
});
