/** Retention in one process while others read what it is about to remove. */
import { afterEach, describe, expect, test } from "bun:test";
import { HeadraceError } from "../../src/errors.ts";
import { type Log, openLog } from "../../src/log/log.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import type { RetentionOptions } from "../../src/log/topic-options.ts";
import { Child } from "./child.ts";
import { removeTemporary, temporaryDirectory } from "./temporary.ts";
import { WriterProcess } from "./writer-process.ts";

const BATCH = 10;
const BATCHES = 300;
const TOTAL: number = BATCH * BATCHES;
const SMALL: RetentionOptions = { maxTopicBytes: 8192, deleteOldestSegments: true };
const LIMIT_MS = 60_000;

const open: { close(): Promise<unknown> }[] = [];
const children: Child[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  for (const child of children.splice(0)) await child.kill();
  removeTemporary();
});

async function startWriter(directory: string, retention: RetentionOptions): Promise<WriterProcess> {
  const topics = { t: { partitions: 1 } };
  const writer = new WriterProcess(directory, { topics, segment: { bytes: 2048 }, retention });
  children.push(writer.child);
  await writer.ready();
  return writer;
}

/** Appends all batches; values are offsets. */
async function write(writer: WriterProcess): Promise<void> {
  for (let first = 0; first < TOTAL; first += BATCH) {
    const records = Array.from({ length: BATCH }, (_, at) => {
      return { key: `k${at}`, value: `${first + at}` };
    });
    await writer.do({ act: "append", topic: "t", partition: 0, records });
  }
}

/** Reads at a position once. @returns The next position. @throws {Error} For a wrong record. */
async function readOn(log: Log, position: number, resets: number[]): Promise<number> {
  let next = position;
  try {
    for (const batch of await log.read("t", 0, position)) {
      const records = new RawRecords(batch);
      for (let at = 0; at < records.count; at++) {
        const value = String(records.valueAt(at));
        const offset = batch.baseOffset + at;
        if (value !== String(offset)) throw new Error(`${value} at offset ${offset}`);
      }
      next = batch.baseOffset + batch.count;
    }
    return next;
  } catch (error) {
    // The one thing that may happen to who is overtaken.
    if (!HeadraceError.is(error) || error.code !== "HEADRACE_OUT_OF_RANGE") throw error;
    const { logStart } = await log.bounds("t", 0);
    resets.push(logStart);
    return logStart;
  }
}

describe("retention in another process", () => {
  test(
    "a reader at the log's start sees whole records, or is told that it is out of range",
    async () => {
      const directory = temporaryDirectory();
      const writer = await startWriter(directory, { ...SMALL, protectUncommitted: false });
      const log = await openLog(directory, { readOnly: true });
      open.push(log);
      let writing = true;
      const written = write(writer).finally(() => {
        writing = false;
      });
      const resets: number[] = [];
      let position = 0;
      let passed = 0;
      while (position < TOTAL) {
        position = await readOn(log, position, resets);
        // The writer's answers arrive between two turns.
        await new Promise(setImmediate);
        // Back to where segments go next, so that the two meet all the time.
        if (writing && ++passed % 3 === 0) position = (await log.bounds("t", 0)).logStart;
      }
      await written;
      const { logStart, logEnd } = await log.bounds("t", 0);
      expect(logEnd).toBe(TOTAL);
      expect(logStart).toBeGreaterThan(0);
      expect(resets).toEqual([...resets].sort((a, b) => a - b));
    },
    LIMIT_MS,
  );

  test(
    "a consumer's commits hold what it has not handled, and let go of the rest",
    async () => {
      const directory = temporaryDirectory();
      const writer = await startWriter(directory, SMALL);
      const reader = new Child("reader-child.ts", [directory, "t", "g"]);
      children.push(reader);
      const handled: number[] = [];
      const problems: string[] = [];
      let stored = -1;
      const follow = async (done: () => boolean): Promise<void> => {
        while (!done()) {
          const line = await reader.line();
          if (line === undefined) throw new Error(`The reader has ended: ${reader.errors}`);
          const [what, offset] = line.split(" ");
          if (what === "end") handled.push(Number(offset));
          if (what === "stored") stored = Number(offset);
          if (what === "other") problems.push(line);
        }
      };
      // A group that has never committed holds nothing: its start must be stored first.
      await follow(() => stored === 0);
      const written = write(writer);
      await follow(() => stored === TOTAL);
      await written;
      expect(problems).toEqual([]);
      expect(handled.sort((a, b) => a - b)).toEqual(Array.from({ length: TOTAL }, (_, at) => at));
      await writer.child.end();
      const log = await openLog(directory, { automaticRetention: false, retention: SMALL });
      open.push(log);
      await log.retain();
      const { logStart } = await log.bounds("t", 0);
      expect(logStart).toBeGreaterThan(TOTAL / 2);
    },
    LIMIT_MS,
  );
});
