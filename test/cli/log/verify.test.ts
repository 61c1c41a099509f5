import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { VerifyReport } from "../../../src/adapters/log.ts";
import { verifyProgress } from "../../../src/cli/log/verify-lines.ts";
import { removeTemporary, temporaryDirectory } from "../../log/temporary.ts";
import { fakeIo } from "../fake-io.ts";
import { linesOf, logCommand, type Outcome, outcomeOf } from "./command.ts";
import { stockLog } from "./stocked-log.ts";

let directory: string;
beforeEach(async () => {
  directory = temporaryDirectory();
  await stockLog(directory);
});
afterEach(removeTemporary);

async function verify(...argv: readonly string[]): Promise<Outcome> {
  return await logCommand(directory, ["verify", "--log", "log", ...argv]);
}

function partition(): string {
  return join(directory, "log/topics/1-orders/partitions/0");
}

/** Segments of orders#0, oldest first. */
function segments(): string[] {
  const names = readdirSync(partition()).filter((name) => name.endsWith(".log"));
  return names.sort().map((name) => join(partition(), name));
}

/** Changes a byte in the first batch of the second segment. */
function damage(): void {
  const bytes = readFileSync(segments()[1]!);
  bytes[100] = bytes[100]! ^ 1;
  writeFileSync(segments()[1]!, bytes);
}

describe("headrace log verify", () => {
  test("says what it has checked, and that all is well", async () => {
    const { code, out, err } = await verify();
    expect([code, err]).toEqual([0, ""]);
    const lines = linesOf(out);
    expect(lines[0]).toMatch(/^partition +segments +batches +messages +bytes$/);
    expect(lines[1]).toMatch(/^orders#0 +6 +12 +96 +[\d.]+ KiB +ok$/);
    expect(lines[3]).toMatch(/^bills#0 +0 +0 +0 +0 B +ok$/);
    expect(lines.at(-2)).toMatch(
      /^Checked 3 partitions, 9 segments, 18 batches, 144 messages, [\d.]+ KiB in \d+ ms$/,
    );
    expect(lines.at(-1)).toBe("ok  nothing is damaged");
  });

  test("names file, position and offsets of damage, and fails", async () => {
    damage();
    const { code, out, err } = await verify();
    expect([code, err]).toEqual([1, ""]);
    expect(out).toMatch(/^orders#0 .* damaged$/m);
    expect(out).toMatch(/^orders#1 .* ok$/m);
    expect(out).toContain(
      "topics/1-orders/partitions/0/00000000000000000016.log\n" +
        "  position 0, 424 bytes: a wrong checksum\n" +
        "  offsets 16 to 23 of orders#0 cannot be read\n",
    );
    // The segment holds offsets 16 to 31: what is good behind the damage goes with it.
    expect(out).toContain("  orders#0 keeps 80 messages, without offsets 16 to 31\n");
    for (const policy of ["fail", "readonly", "quarantine"])
      expect(out).toContain(`\n  ${policy} `);
    expect(linesOf(out).at(-1)).toBe("damaged  in 1 place, 1 with a loss");
  });

  test("what the next open mends is damage without a loss", async () => {
    appendFileSync(segments().at(-1)!, "torn");
    rmSync(segments()[0]!.replace(/log$/, "index"));
    const { code, out } = await verify();
    expect(code).toBe(1);
    expect(out).toMatch(/^orders#0 .* to be mended$/m);
    expect(out).toContain("  no file\n  at the next open built anew\n");
    expect(out).toMatch(
      / {2}position \d+, 4 bytes: a header that is cut off\n {2}at the next open cut/,
    );
    expect(linesOf(out).at(-1)).toBe(
      "damaged  in 2 places, nothing is lost: the next open mends it",
    );
  });

  test("works on a log that cannot be opened, and says that", async () => {
    writeFileSync(join(directory, "log/store.json"), "{");
    const { code, out } = await verify();
    expect(code).toBe(1);
    expect(out).toContain(
      'store.json\n  "{", no JSON object\n' +
        "  the log cannot be opened until this file is as it was\n",
    );
    expect(out).toContain("No onCorruption policy opens this log\n");
    expect(out).toMatch(/^orders#0 .* ok$/m);
  });

  test("--json prints the report", async () => {
    damage();
    const { code, out } = await verify("--json");
    const report = JSON.parse(out) as VerifyReport;
    expect([code, report.ok, report.records, report.writer]).toEqual([1, false, 136, null]);
    expect(report.damages).toMatchObject([{ kind: "batch", firstOffset: 16, endOffset: 24 }]);
    expect(report.outcomes).toEqual([
      { topic: "orders", partition: 0, kept: 80, givenUp: [{ from: 16, to: 32 }] },
    ]);
  });

  test("shows how far it is", () => {
    const progress = { bytes: 512, totalBytes: 1024, file: "topics/1-a/partitions/0/0.log" };
    expect(verifyProgress(progress)).toBe(
      "verify  ━━━━━━━━━━──────────  512 B of 1.0 KiB  topics/1-a/partitions/0/0.log",
    );
  });

  test("a signal ends it with the signal's code", async () => {
    const io = fakeIo({ cwd: directory });
    const ended = outcomeOf(io, ["verify", "--log", "log"]);
    io.send("SIGINT");
    expect(await ended).toEqual({ code: 130, out: "", err: "" });
  });

  test.each([
    [["verify", "--log", "none"], 2, '--log must be a directory: received "none"'],
    [["verify", "--log", "."], 2, 'must be the directory of a log: received "."'],
    [["verify"], 2, "--log is required"],
    [["verify", "orders", "--log", "log"], 2, 'received "orders"'],
  ])("%j is refused", async (argv, expected, message) => {
    const { code, err, out } = await logCommand(directory, argv);
    expect([code, out, linesOf(err).length]).toEqual([expected, "", 1]);
    expect(err).toContain(message);
  });
});
