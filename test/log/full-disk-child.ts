/**
 * Appends to a log until its disk is full, and a little longer; then closes it. With a third argument,
 * a file whose removal makes room, it removes that, opens the log again and goes on. Writes one line of
 * JSON: a `FullDiskReport`.
 *
 *   full-disk-child.ts DIRECTORY [FILLER]
 */
import { rmSync, writeSync } from "node:fs";
import process from "node:process";
import { type Log, openLog } from "../../src/adapters/log.ts";
import { numbered, storedValues } from "./temporary.ts";

const BATCH = 20;
/** More than any disk of the test takes. */
const MAX_BATCHES = 20_000;

/** What the child has seen. */
export interface FullDiskReport {
  /** Records that were acknowledged before the disk was full. */
  acknowledged: number;
  /** What the append said that met the full disk, the one after it, opening while it is full. */
  errors: { name: string; message: string }[];
  /** With room again: records that were there, and are after another append. */
  found?: number;
  after?: number;
}

/** What is wrong, or nothing. */
async function failure(act: () => Promise<unknown>): Promise<{ name: string; message: string }[]> {
  try {
    await act();
    return [];
  } catch (error) {
    const { name, message } = error as Error;
    return [{ name, message }];
  }
}

/** Reads the whole log. @throws {Error} When a record is not the one that was appended there. */
async function countRecords(log: Log): Promise<number> {
  const values = await storedValues(log);
  const wrong = values.findIndex((value, at) => value !== `v${at}`);
  if (wrong !== -1) throw new Error(`${values[wrong]} at offset ${wrong}`);
  return values.length;
}

const [directory = "", filler] = process.argv.slice(2);
const report: FullDiskReport = { acknowledged: 0, errors: [] };
const log = await openLog(directory, { topics: { t: { partitions: 1 } } });
const append = async (): Promise<void> => {
  await log.append("t", 0, numbered(report.acknowledged, BATCH));
  report.acknowledged += BATCH;
};
for (let batch = 0; batch < MAX_BATCHES && report.errors.length === 0; batch++) {
  report.errors.push(...(await failure(append)));
}
report.errors.push(...(await failure(append)));
// What a full disk does to closing is not told apart here: everything acknowledged is written.
await failure(() => log.close());
if (filler !== undefined) {
  report.errors.push(...(await failure(() => openLog(directory).then((open) => open.close()))));
  rmSync(filler);
  const again = await openLog(directory);
  report.found = await countRecords(again);
  await again.append("t", 0, numbered(report.found, BATCH));
  report.after = await countRecords(again);
  await again.close();
}
writeSync(1, `${JSON.stringify(report)}\n`);
