import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RetainReport } from "../../../src/adapters/log.ts";
import { numbered, removeTemporary, temporaryDirectory } from "../../log/temporary.ts";
import { linesOf, logCommand, type Outcome } from "./command.ts";
import { MESSAGES, openStock, stockLog } from "./stocked-log.ts";

/** Leaves room for the active segments only. */
const SMALL = ["--retention-max-topic-bytes", "1024", "--retention-delete-oldest-segments", "true"];
const UNPROTECTED = [...SMALL, "--retention-protect-uncommitted", "false"];

let directory: string;
beforeEach(async () => {
  directory = temporaryDirectory();
  await stockLog(directory);
});
afterEach(removeTemporary);

async function run(...argv: string[]): Promise<Outcome> {
  return await logCommand(directory, [...argv, "--log", "log"]);
}

/** Names of the `.log` files of orders#0. */
function segments(): string[] {
  const names = readdirSync(join(directory, "log/topics/1-orders/partitions/0"));
  return names.filter((name) => name.endsWith(".log")).sort();
}

describe("headrace log retain", () => {
  test("removes nothing without options", async () => {
    expect(await run("retain")).toEqual({ code: 0, out: "Removed 0 segments, 0 B\n", err: "" });
    expect(segments().length).toBe(6);
  });

  test("--dry-run says what would go, and removes nothing", async () => {
    const { code, out } = await run("retain", "--dry-run", ...UNPROTECTED);
    expect(code).toBe(0);
    expect(linesOf(out)[0]).toMatch(/^partition +first +last +bytes$/);
    expect(linesOf(out)[1]).toMatch(/^orders#0 +0 +15 +\d+ B$/);
    expect(linesOf(out).at(-1)).toMatch(/^Would remove 7 segments, [\d.]+ KiB$/);
    expect(segments().length).toBe(6);
    const { out: json } = await run("retain", "orders", "--dry-run", "--json", ...UNPROTECTED);
    const report = JSON.parse(json) as RetainReport & { dryRun: boolean };
    expect([report.dryRun, report.removed.length, report.failed]).toEqual([true, 7, []]);
    expect(segments().length).toBe(6);
  });

  test("removes the oldest segments; what is left is readable", async () => {
    const { code, out } = await run("retain", ...UNPROTECTED);
    expect([code, linesOf(out).at(-1)]).toEqual([0, expect.stringMatching(/^Removed 7 segments/)]);
    expect(segments()).toEqual(["00000000000000000080.log"]);
    const read = await run("read", "orders", "--partition", "0", "--max-messages", "1");
    expect(read.out).toBe("v80\n");
    expect((await run("verify")).code).toBe(0);
    const described = await run("describe", "orders", "--partition", "0");
    expect(described.out).toContain("▲ billing 40, before the log\n");
    expect((await run("read", "orders", "--partition", "0", "--from", "79")).err).toContain(
      `offsets of orders#0 are 80 to ${MESSAGES}: received 79`,
    );
  });

  test("keeps what a group has not committed, and names the group", async () => {
    const { code, out } = await run("retain", "orders", ...SMALL);
    expect(code).toBe(0);
    // billing is at 40 and 8: one segment of partition 0 lies below that, and none of partition 1.
    expect(segments()[0]).toBe("00000000000000000032.log");
    expect(out).toMatch(/^orders#0: [\d.]+ KiB stay for group billing, which is at 40$/m);
    expect(out).toMatch(/^orders#1: [\d.]+ KiB stay for group billing, which is at 8$/m);
  });

  test("options that are stored with a topic hold, whoever opens the log", async () => {
    const stored = ["--retention-max-age-ms", "1", "--segment-bytes", "1024"];
    await run("create", "brief", ...stored);
    const described = (await run("describe", "brief")).out;
    expect(described).toContain("  retention.maxAgeMs 1\n");
    expect(described).toContain("  segment.bytes 1024\n");
    const log = await openStock(directory);
    for (let batch = 0; batch < 8; batch++) await log.append("brief", 0, numbered(0, 8));
    await log.close();
    const [first] = JSON.parse((await run("describe", "brief", "--json")).out);
    await run("retain", "brief");
    const [after] = JSON.parse((await run("describe", "brief", "--json")).out);
    expect(first.messages).toBeGreaterThan(0);
    expect(after.partitions[0].segments.length).toBe(1);
  });

  test("--retention-archive keeps a copy", async () => {
    const { code } = await run("retain", "orders", "--retention-archive", "old", ...UNPROTECTED);
    expect(code).toBe(0);
    const archived = readdirSync(join(directory, "old"), { recursive: true, encoding: "utf8" });
    expect(archived.filter((name) => name.endsWith(".log")).length).toBe(7);
  });

  test("says what could not be archived, keeps it, and fails", async () => {
    writeFileSync(join(directory, "blocked"), "");
    const argv = ["--retention-archive", "blocked", ...UNPROTECTED];
    const { code, out } = await run("retain", "orders", ...argv);
    expect(code).toBe(1);
    expect(out).toMatch(/^orders#0: .*\.log stays: /m);
    expect(linesOf(out).at(-1)).toBe("Removed 0 segments, 0 B");
    expect(segments().length).toBe(6);
  });

  test.each([
    [["retain", "nope"], 1, "topic must exist (there are: orders, bills)"],
    [["retain", "--retention-max-age-ms", "0"], 2, "--retention-max-age-ms must be a whole number"],
    [["retain", "--retention-max-topic-bytes", "1"], 2, "must be a whole number from 1024"],
    [["retain", "--retention-delete-oldest-segments", "yes"], 2, "must be true or false"],
    [["retain", "--retention-delete-oldest-segments"], 2, "needs a value"],
    [["create", "x", "--segment-bytes", "1"], 2, "--segment-bytes must be a whole number"],
    [["create", "x", "--deduplication-ttl-ms", "-1"], 2, "--deduplication-ttl-ms must be a whole"],
  ])("%j is refused", async (argv, expected, message) => {
    const { code, err, out } = await run(...argv);
    expect([code, out, linesOf(err).length]).toEqual([expected, "", 1]);
    expect(err).toContain(message);
    expect(segments().length).toBe(6);
  });

  test("a log that is not there is refused, and not made", async () => {
    rmSync(join(directory, "log"), { recursive: true });
    const { code, err } = await run("retain");
    expect([code, err]).toEqual([2, expect.stringContaining("--log must be a directory")]);
    expect(existsSync(join(directory, "log"))).toBe(false);
  });
});
