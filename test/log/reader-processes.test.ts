/** Consumers in processes that only read, while another process writes and rolls segments. */
import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "../../src/log/log.ts";
import { Child } from "./child.ts";
import { random, removeTemporary, temporaryDirectory } from "./temporary.ts";
import { WriterProcess } from "./writer-process.ts";

const TOPIC = "orders";
const KEYS = 23;
const LIMIT_MS = 60_000;

const children: Child[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  removeTemporary();
});

async function startWriter(directory: string): Promise<WriterProcess> {
  const topics = { [TOPIC]: { partitions: 1 } };
  const writer = new WriterProcess(directory, { topics, segment: { bytes: 4096 } });
  children.push(writer.child);
  await writer.ready();
  return writer;
}

function startReader(directory: string, groupId: string): Child {
  const reader = new Child("reader-child.ts", [directory, TOPIC, groupId]);
  children.push(reader);
  return reader;
}

/** What one run of a reader did. */
class Run {
  readonly ended = new Set<number>();
  readonly problems: string[] = [];
  assigned = -1;
  stored = 0;
  readonly #running = new Map<string, number>();
  readonly #lastOfKey = new Map<string, number>();

  note(line: string): void {
    const [what, text, key = ""] = line.split(" ");
    const offset = Number(text);
    if (what === "assigned") this.assigned = offset;
    else if (what === "stored") this.stored = offset;
    else if (what === "start") this.#start(offset, key);
    else if (what === "end") this.#end(offset, key);
    else this.problems.push(line);
  }

  #start(offset: number, key: string): void {
    const before = this.#lastOfKey.get(key) ?? -1;
    if (this.#running.has(key)) this.problems.push(`${offset} began while its key ran`);
    if (offset <= before) this.problems.push(`${offset} began after ${before} of its key`);
    this.#running.set(key, offset);
    this.#lastOfKey.set(key, offset);
  }

  #end(offset: number, key: string): void {
    if (this.#running.get(key) !== offset) this.problems.push(`${offset} ended unasked`);
    this.#running.delete(key);
    this.ended.add(offset);
  }
}

/** Notes what the reader says until the condition holds. */
async function follow(reader: Child, run: Run, done: () => boolean): Promise<void> {
  while (!done()) {
    const line = await reader.line();
    if (line === undefined) throw new Error(`The reader has ended: ${reader.errors}`);
    run.note(line);
  }
}

/** Appends in batches of all sizes; the key is a number, so that it can be compared. */
async function write(writer: WriterProcess, seed: number, from: number, to: number): Promise<void> {
  const next = random(seed);
  for (let offset = from; offset < to; ) {
    const count = Math.min(1 + (next() % 40), to - offset);
    const records = Array.from({ length: count }, (_, at) => {
      return { key: `k${next() % KEYS}`, value: `${offset + at}` };
    });
    await writer.do({ act: "append", topic: TOPIC, partition: 0, records });
    offset += count;
  }
}

describe("a consumer in a process that only reads", () => {
  test(
    "handles everything in key order while another process writes and rolls segments",
    async () => {
      const total = 3000;
      const directory = temporaryDirectory();
      const writer = await startWriter(directory);
      const reader = startReader(directory, "g");
      const run = new Run();
      const written = write(writer, 1, 0, total);
      await follow(reader, run, () => run.ended.size === total && run.stored === total);
      await written;
      expect(run.problems).toEqual([]);
      const partition = join(directory, "topics", `1-${TOPIC}`, "partitions", "0");
      const segments = readdirSync(partition).filter((name) => name.endsWith(".log"));
      expect(segments.length).toBeGreaterThan(20);
    },
    LIMIT_MS,
  );

  test(
    "goes on where it was when it, or the writer, is killed and started again",
    async () => {
      const total = 3000;
      const directory = temporaryDirectory();
      let writer = await startWriter(directory);
      const runs = [new Run(), new Run()];
      const first = startReader(directory, "g");
      await Promise.all([
        write(writer, 2, 0, total / 3),
        follow(first, runs[0]!, () => runs[0]!.ended.size >= total / 4 && runs[0]!.stored > 0),
      ]);
      await first.kill();
      for (const line of first.takeLines()) runs[0]!.note(line);
      // The killed one's group is free, and its offset is there.
      const second = startReader(directory, "g");
      await follow(second, runs[1]!, () => runs[1]!.assigned >= 0);
      expect(runs[1]!.assigned).toBeGreaterThanOrEqual(runs[0]!.stored);
      for (let offset = 0; offset < runs[1]!.assigned; offset++) {
        expect([offset, runs[0]!.ended.has(offset)]).toEqual([offset, true]);
      }
      await write(writer, 3, total / 3, (total / 3) * 2);
      await writer.child.kill();
      writer = await startWriter(directory);
      await write(writer, 4, (total / 3) * 2, total);
      await follow(second, runs[1]!, () => runs[1]!.stored === total);
      expect(runs.map(({ problems }) => problems)).toEqual([[], []]);
      const all = new Set([...runs[0]!.ended, ...runs[1]!.ended]);
      expect(all.size).toBe(total);
    },
    LIMIT_MS,
  );

  test(
    "several of them, each a group, read one log; its writer's process sees their offsets",
    async () => {
      const total = 1000;
      const directory = temporaryDirectory();
      const writer = await startWriter(directory);
      const groups = ["a", "b", "c"];
      const readers = groups.map((groupId) => startReader(directory, groupId));
      const runs = groups.map(() => new Run());
      const written = write(writer, 5, 0, total);
      await Promise.all(
        readers.map((reader, at) => follow(reader, runs[at]!, () => runs[at]!.stored === total)),
      );
      await written;
      for (const run of runs) expect([run.ended.size, run.problems]).toEqual([total, []]);
      const log = await openLog(directory, { readOnly: true });
      expect(await log.groups(TOPIC)).toEqual(groups);
      for (const groupId of groups) {
        expect((await log.committed(groupId, TOPIC))[0]!.offset).toBe(total);
      }
      await log.close();
      for (const reader of readers) {
        await reader.end();
        expect(reader.errors).toBe("");
      }
    },
    LIMIT_MS,
  );

  test(
    "a second process of one group is refused, and told who has it",
    async () => {
      const directory = temporaryDirectory();
      await startWriter(directory);
      const first = startReader(directory, "g");
      const run = new Run();
      await follow(first, run, () => run.assigned === 0);
      const second = startReader(directory, "g");
      await second.exited;
      expect(second.errors).toContain("Cannot join group g as one process runs a group at a time");
      expect(second.errors).toContain(`held by process ${first.pid}`);
    },
    LIMIT_MS,
  );
});
