import { describe, expect, test } from "bun:test";
import { main } from "../../src/cli/cli.ts";
import { planPartitions } from "../../src/tools/index.ts";
import { fakeIo } from "./fake-io.ts";

async function plan(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = fakeIo({ columns: 80 });
  return { code: await main(["plan", ...argv], io), ...io.output };
}

describe("headrace plan", () => {
  test("says how many partitions, why, and what other peaks would need", async () => {
    const { code, out } = await plan("--peak", "50000", "--max-consumers", "5");
    expect(code).toBe(0);
    expect(out).toBe(`15 partitions for 50,000 messages/s

  throughput     15  50,000/s × 1.5, at 5,000/s each
  consumers       5  members that read at once
  required       15  the largest
  usual       10–30  for such a peak

  if the peak were
  0.5 ×  25,000/s   8  ━━━━━
    1 ×  50,000/s  15  ━━━━━━━━━━
  1.5 ×  75,000/s  23  ━━━━━━━━━━━━━━━
    2 ×    100k/s  30  ━━━━━━━━━━━━━━━━━━━━
    4 ×    200k/s  60  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
`);
  });

  test("plans virtual partitions, shows storage and warnings", async () => {
    const { out } = await plan("--peak", "500", "--handler-ms", "20", "--keys", "3");
    expect(out).toContain("15 virtual partitions for 500 messages/s");
    expect(out).toContain("500/s × 1.5, at 50/s (20 ms) each");
    expect(out).toContain("key-bound  3 keys cannot fill 15 virtual partitions");
    const sizes = [
      "--message-bytes",
      "1e3",
      "--retention-ms",
      "86400000",
      "--segment-bytes",
      "1e9",
    ];
    const stored = await plan("--peak", "50000", ...sizes);
    expect(stored.out).toMatch(/written +48 MiB\/s +3\.2 MiB\/s\n +kept +3\.9 TiB +268 GiB\n/);
    expect(stored.out).toMatch(/a segment fills in +5\.0 min\n +segments +288\n/);
    expect((await plan("--peak", "0")).out).toContain("1 partition for no messages");
  });

  test("prints with --json what planPartitions() gives", async () => {
    const { out } = await plan("--peak", "4e4", "--current-partitions", "6", "--hourly", "--json");
    const expected = planPartitions({ peak: 40_000, currentPartitions: 6, hourly: true });
    expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(expected)));
  });

  test.each([
    [[], "--peak is required: received nothing"],
    [["--peak", "many"], '--peak must be a number: received "many"'],
    [["--peak", "NaN"], '--peak must be a number: received "NaN"'],
    [["--peak=-5"], "peak must be from 0 to 1000000000000: received -5"],
    [["--peak", "5", "--per-partition", "0"], "perPartition must be a finite number above 0"],
    [["--peak", "5", "--buffer", "0.5"], "buffer must be from 1 to 1000: received 0.5"],
    [["--peak", "5", "7"], 'the call is "headrace plan --peak RATE [options]": received "7"'],
  ])("refuses %j in one line", async (argv, message) => {
    const { code, out, err } = await plan(...argv);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(`headrace: Cannot plan partitions as ${message}`);
    expect(err.trim().split("\n").length).toBe(1);
  });
});
