/** What `verifyLog()` foretells is what an open with that policy does. */
import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "../../src/log/log.ts";
import { storedRecords } from "../../src/log/stored-records.ts";
import { verifyLog } from "../../src/log/verify-log.ts";
import { numbered, removeTemporary, temporaryDirectory } from "./temporary.ts";

afterEach(removeTemporary);

const SEGMENT = { bytes: 1024 };
const MESSAGES = 48;

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = bytes[at]! ^ 1;
  writeFileSync(path, bytes);
}

/** A log with several segments in partition 0 of topic t; their paths, oldest first. */
async function makeLog(): Promise<{ root: string; segments: string[] }> {
  const root = temporaryDirectory();
  const log = await openLog(root, { topics: { t: { partitions: 1 } }, segment: SEGMENT });
  for (let first = 0; first < MESSAGES; first += 4) await log.append("t", 0, numbered(first, 4));
  await log.close();
  const directory = join(root, "topics/1-t/partitions/0");
  const names = readdirSync(directory).filter((name) => name.endsWith(".log"));
  return { root, segments: names.sort().map((name) => join(directory, name)) };
}

describe("VerifyReport.outcomes", () => {
  test.each(["readonly", "quarantine"] as const)("hold for %s", async (onCorruption) => {
    const cases: [name: string, damage: (segments: readonly string[]) => void][] = [
      ["a first batch", ([, second]) => flip(second!, 100)],
      ["a last batch", ([, second]) => flip(second!, statSync(second!).size - 1)],
      [
        "two segments",
        (segments) => {
          for (const path of segments.slice(0, 2)) flip(path, 100);
        },
      ],
      ["the newest", (segments) => flip(segments.at(-1)!, 100)],
      ["a cut", ([first]) => truncateSync(first!, 300)],
      ["a segment that is gone", ([, second]) => rmSync(second!)],
    ];
    for (const [name, damage] of cases) {
      const { root, segments } = await makeLog();
      damage(segments);
      const [outcome, ...others] = (await verifyLog(root)).outcomes;
      expect([name, others]).toEqual([name, []]);
      const log = await openLog(root, { onCorruption, verify: "open", segment: SEGMENT });
      const { logStart, logEnd } = await log.bounds("t", 0);
      const read: number[] = [];
      for (let offset = logStart; offset < logEnd; ) {
        const batches = await log.read("t", 0, offset, 1).catch(() => []);
        const records = batches[0] === undefined ? [] : [...storedRecords(batches[0], offset)];
        read.push(...records.map((record) => record.offset));
        offset = (records.at(-1)?.offset ?? offset) + 1;
      }
      await log.close();
      const lost = outcome!.givenUp.flatMap(({ from, to }) =>
        Array.from({ length: to - from }, (_, at) => from + at),
      );
      expect([name, read.length]).toEqual([name, outcome!.kept]);
      expect([name, read.filter((offset) => lost.includes(offset))]).toEqual([name, []]);
      if (onCorruption === "quarantine") {
        expect([name, (await verifyLog(root)).damages.filter(({ loss }) => loss)]).toEqual([
          name,
          [],
        ]);
      }
    }
  });
});
