/** The order of copying that docs/log.md gives for a backup while a process writes. */
import { afterEach, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Log, openLog } from "../../src/log/log.ts";
import { verifyLog } from "../../src/log/verify-log.ts";
import { numbered, removeTemporary, temporaryDirectory } from "./temporary.ts";

afterEach(removeTemporary);

const SEGMENT = { bytes: 2048 };

function filesIn(root: string): string[] {
  const names = readdirSync(root, { recursive: true, encoding: "utf8" }).sort();
  return names.filter((name) => statSync(join(root, name)).isFile());
}

/** Descriptions, heads and group offsets first; then the segments that are there by then. */
async function backUp(from: string, to: string, between: () => Promise<void>): Promise<void> {
  const copy = (name: string): void => {
    mkdirSync(dirname(join(to, name)), { recursive: true });
    copyFileSync(join(from, name), join(to, name));
  };
  const small = filesIn(from).filter((name) => !/\.log$|index$|^LOCK/.test(basename(name)));
  for (const name of small) {
    copy(name);
    await between();
  }
  const segments = filesIn(from).filter((name) => name.endsWith(".log"));
  for (const name of segments) {
    copy(name);
    await between();
  }
}

async function endOf(log: Log, partition: number): Promise<number> {
  return (await log.bounds("t", partition)).logEnd;
}

describe("a backup while the log is written", () => {
  test("opens, with all that was there when it began, and group offsets inside", async () => {
    const root = temporaryDirectory();
    const copy = temporaryDirectory();
    const log = await openLog(root, { topics: { t: { partitions: 2 } }, segment: SEGMENT });
    const appendBoth = async (): Promise<void> => {
      for (const partition of [0, 1]) {
        await log.append("t", partition, numbered(await endOf(log, partition), 7));
        await log.commit("g", "t", [{ partition, offset: await endOf(log, partition) }]);
      }
    };
    for (let batch = 0; batch < 30; batch++) await appendBoth();
    const before = [await endOf(log, 0), await endOf(log, 1)];
    await backUp(root, copy, appendBoth);
    const after = [await endOf(log, 0), await endOf(log, 1)];
    await log.close();
    expect(after[0]).toBeGreaterThan(before[0]! + 100);

    // Only indexes are missing, and what was written while the active segments were copied may be
    // cut off in the middle.
    const { damages } = await verifyLog(copy);
    expect(damages.filter(({ loss }) => loss)).toEqual([]);
    const opened = await openLog(copy, { segment: SEGMENT });
    for (const partition of [0, 1]) {
      const end = await endOf(opened, partition);
      expect(end).toBeGreaterThanOrEqual(before[partition]!);
      expect(end).toBeLessThanOrEqual(after[partition]!);
      const [stored] = (await opened.committed("g", "t")).slice(partition);
      expect(stored!.offset).toBeLessThanOrEqual(end);
      expect(stored!.offset).toBeGreaterThanOrEqual(before[partition]!);
      await opened.append("t", partition, numbered(end, 1));
    }
    await opened.close();
    expect((await verifyLog(copy)).ok).toBe(true);
  });
});
