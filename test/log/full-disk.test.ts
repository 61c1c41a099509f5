import { afterEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { openLog } from "../../src/log/log.ts";
import type { FullDiskReport } from "./full-disk-child.ts";
import { numbered, removeTemporary, storedValues, temporaryDirectory } from "./temporary.ts";

afterEach(removeTemporary);

const isDeno = "Deno" in globalThis;
const script = fileURLToPath(new URL("./full-disk-child.ts", import.meta.url));
const child = [process.execPath, ...(isDeno ? ["run", "-A", "--no-check"] : []), script];
/** In 512 bytes; a segment's file reaches it soon. */
const FILE_BLOCKS = 256;
const CLEAR = "Cannot append to t#0 as a write failed, and it must be opened again: received ";
/** Of a full disk and of a file that is too large, in the words of all runtimes. */
const REASON = /ENOSPC|No space left|EFBIG|File too large/;

/** Runs a line of shell in which `"$@"` is the child. */
function run(line: string, ...args: readonly string[]): FullDiskReport {
  const { stdout, stderr } = spawnSync("sh", ["-c", line, "sh", ...child, ...args], {
    encoding: "utf8",
  });
  expect({ stderr, stdout: stdout.slice(0, 1) }).toEqual({ stderr, stdout: "{" });
  return JSON.parse(stdout) as FullDiskReport;
}

/** Root on Linux may mount; elsewhere the limit of a file's size has to do. */
function canMount(): boolean {
  if (process.platform !== "linux") return false;
  const mount = 'mount -t tmpfs -o size=64k tmpfs "$1"';
  return spawnSync("unshare", ["-m", "sh", "-c", mount, "sh", temporaryDirectory()]).status === 0;
}

function expectClear({ acknowledged, errors }: FullDiskReport): void {
  expect(acknowledged).toBeGreaterThan(0);
  for (const { name, message } of errors.slice(0, 2)) {
    expect(name).toBe("LogError");
    expect(message).toContain(CLEAR);
    expect(message).toMatch(REASON);
  }
}

describe.skipIf(process.platform === "win32")("a full disk (not on Windows: no sh)", () => {
  test("a file that may not grow: one clear error, nothing acknowledged is lost, it goes on", async () => {
    const root = join(temporaryDirectory(), "log");
    // Ignored, the signal becomes an error of the write in all runtimes.
    const report = run(`trap '' XFSZ; ulimit -f ${FILE_BLOCKS}; exec "$@"`, root);
    expectClear(report);
    expect(report.errors.length).toBe(2);
    const log = await openLog(root);
    try {
      const expected = Array.from({ length: report.acknowledged }, (_, at) => `v${at}`);
      expect(await storedValues(log)).toEqual(expected);
      const { baseOffset } = await log.append("t", 0, numbered(0, 3));
      expect(baseOffset).toBe(report.acknowledged);
    } finally {
      await log.close();
    }
  });

  test.skipIf(!canMount())(
    "a small disk, made full (skipped where this process may not mount one)",
    () => {
      const disk = temporaryDirectory();
      mkdirSync(disk, { recursive: true });
      const line = `exec unshare -m sh -c '
      mount -t tmpfs -o size=2m tmpfs "$0" &&
      head -c 500000 /dev/zero > "$0/filler" &&
      exec "$@" "$0/log" "$0/filler"' "${disk}" "$@"`;
      const report = run(line);
      expectClear(report);
      expect(report.errors.length).toBe(3);
      expect(report.errors[2]!.name).toBe("LogError");
      expect(report.errors[2]!.message).toContain("Cannot open the log as its files must be ");
      expect(report.errors[2]!.message).toMatch(REASON);
      expect(report.found).toBe(report.acknowledged);
      expect(report.after).toBe(report.acknowledged + 20);
    },
  );
});
