import { afterEach, describe, expect, test } from "bun:test";
import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { removeTemporary, temporaryDirectory } from "../../log/temporary.ts";
import { logProgram, spawnLogCommand } from "./command.ts";

const TIMEOUT_MS = 30_000;
const LINES = 60_000;

afterEach(removeTemporary);

/** The exit code, once everything of the output is there. */
async function ended(child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, "close");
  return code as number | null;
}

/** Appends numbers through a real pipe. */
async function appendNumbers(directory: string): Promise<void> {
  const child = spawnLogCommand(directory, ["append", "n", "--log", "log", "--json"]);
  let out = "";
  child.stdout!.on("data", (chunk) => {
    out += chunk;
  });
  child.stdin!.end(Array.from({ length: LINES }, (_, at) => `line ${at}\n`).join(""));
  expect(await ended(child)).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ appended: LINES });
}

describe("headrace log in a pipe", () => {
  test(
    "a reader that takes its time gets everything; one that leaves ends the command",
    async () => {
      const directory = temporaryDirectory();
      await appendNumbers(directory);

      const slow = spawnLogCommand(directory, ["read", "n", "--log", "log", "--json"]);
      const slowEnded = ended(slow);
      let lines = 0;
      let last = "";
      for await (const chunk of slow.stdout!) {
        last = (last + String(chunk)).slice(-500);
        lines += String(chunk).split("\n").length - 1;
      }
      expect(await slowEnded).toBe(0);
      expect(lines).toBe(LINES);
      expect(JSON.parse(last.trimEnd().split("\n").at(-1)!)).toMatchObject({
        offset: LINES - 1,
        value: `line ${LINES - 1}`,
      });

      const left = spawnLogCommand(directory, ["read", "n", "--log", "log"]);
      const leftEnded = ended(left);
      let complaints = "";
      left.stderr!.on("data", (chunk) => {
        complaints += chunk;
      });
      const [first] = await once(left.stdout!, "data");
      expect(String(first).startsWith("line 0\nline 1\n")).toBe(true);
      left.stdout!.destroy();
      expect([await leftEnded, complaints]).toEqual([0, ""]);
    },
    TIMEOUT_MS,
  );

  test(
    "a shell's pipe works from end to end",
    async () => {
      const directory = temporaryDirectory();
      const command = logProgram()
        .map((word) => `'${word}'`)
        .join(" ");
      const pipe =
        `printf 'a\\nb\\nc\\n' | ${command} append t --log log >/dev/null 2>&1 && ` +
        `${command} read t --log log --json | ${command} append u --log copy --format json ` +
        `>/dev/null 2>&1 && ${command} read u --log copy | head -n 2`;
      const { stdout } = await promisify(execFile)("sh", ["-c", pipe], { cwd: directory });
      expect(stdout).toBe("a\nb\n");
    },
    TIMEOUT_MS,
  );
});
