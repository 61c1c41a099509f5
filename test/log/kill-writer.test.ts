/** A writer that is killed -9 again and again, and a reader outside that follows all the time. */
import { afterEach, expect, test } from "bun:test";
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type Log, openLog } from "../../src/log/log.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import type { StoredBatch } from "../../src/log/read-batches.ts";
import { Child } from "./child.ts";
import { type DigestedRecord, digestOf } from "./digest.ts";
import { random, removeTemporary, temporaryDirectory } from "./temporary.ts";

/** One runtime does the long loop; in the others a few rounds show that it works there too. */
const isLong = "Bun" in globalThis && process.env.HEADRACE_TEST_QUICK !== "1";
const ROUNDS = Number(process.env.HEADRACE_KILL_ROUNDS ?? (isLong ? 104 : 6));
const LIMIT_MS = 180_000;
const TOPIC = "orders";
const PARTITIONS = 2;
/** Longest life of a writer after it said that it is open. */
const LIFE_MS = 120;
/** Longest life of one that is killed while it starts and recovers. */
const START_MS = 300;

const children: Child[] = [];
const logs: Log[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  for (const log of logs.splice(0)) await log.close();
  removeTemporary();
});

function recordsOf(batch: StoredBatch): DigestedRecord[] {
  const records = new RawRecords(batch);
  return Array.from({ length: records.count }, (_, at) => ({
    key: records.keyAt(at),
    value: records.valueAt(at),
    timestamp: records.timestampAt(at),
  }));
}

/** Reads a partition from its start and notes what was at each offset. */
class Follower {
  /** Digest of each record, by offset. */
  readonly digests: string[] = [];
  readonly problems: string[] = [];
  readonly #log: Log;
  readonly #partition: number;

  constructor(log: Log, partition: number) {
    this.#log = log;
    this.#partition = partition;
  }

  /** Reads all there is; checksums are verified by the read. */
  async advance(): Promise<void> {
    for (;;) {
      const batches = await this.#log.read(TOPIC, this.#partition, this.digests.length);
      if (batches.length === 0) return;
      for (const batch of batches) this.#take(batch);
    }
  }

  #take(batch: StoredBatch): void {
    const { digests } = this;
    if (batch.baseOffset !== digests.length) {
      this.problems.push(`a batch at ${batch.baseOffset} for ${digests.length}`);
    }
    for (const one of recordsOf(batch)) digests.push(digestOf([one]));
  }
}

/** What writers said that they have acknowledged. */
interface Acknowledged {
  readonly partition: number;
  readonly offset: number;
  readonly count: number;
  readonly digest: string;
}

/** The beginning of a batch that was never written to its end, behind what a killed writer left. */
function tear(directory: string, partition: number, next: () => number): void {
  const path = join(directory, "topics", `1-${TOPIC}`, "partitions", String(partition));
  const names = readdirSync(path).filter((name) => name.endsWith(".log"));
  const file = join(path, names.sort().at(-1)!);
  // Bytes that were good elsewhere, or noise.
  const good = readFileSync(file).subarray(0, 1 + (next() % 500));
  appendFileSync(file, next() % 2 === 0 && good.length > 0 ? good : Uint8Array.from([7, 7, 7]));
}

/** Starts writers and kills them, reads all the time, and remembers what both sides said. */
class KillLoop {
  readonly seed: number;
  readonly directory: string = temporaryDirectory();
  readonly acknowledged: Acknowledged[] = [];
  readonly problems: string[] = [];
  followers: readonly Follower[] = [];
  starts = 0;
  tears = 0;
  readonly #next: () => number;
  #reading: Promise<void> = Promise.resolve();
  /** Partition whose end was torn on purpose, until a writer has told that it cut it. */
  #torn = -1;
  readonly #told = new Set<number>();

  constructor(seed: number) {
    this.seed = seed;
    this.#next = random(seed);
  }

  async round(): Promise<void> {
    const args = [this.directory, TOPIC, String(PARTITIONS), String(this.#next())];
    const child = new Child("kill-writer-child.ts", args);
    children.push(child);
    this.#told.clear();
    if (this.followers.length > 0 && this.#next() % 8 === 0) return this.#killAtStart(child);
    await this.#until(child, "open");
    if (this.#torn !== -1 && !this.#told.has(this.#torn)) {
      this.problems.push(`the torn tail of ${this.#torn} was not told`);
    }
    await this.#follow();
    await this.#until(child, "ack");
    await this.#sleep(LIFE_MS);
    await this.#kill(child);
    const torn = this.#next() % PARTITIONS;
    const isToBeTorn = this.#next() % 4 === 0 && this.followers[torn]!.digests.length > 0;
    this.#torn = isToBeTorn ? torn : -1;
    if (!isToBeTorn) return;
    tear(this.directory, this.#torn, this.#next);
    this.tears++;
  }

  /** Reads all there is now. */
  readOn(): Promise<void> {
    this.#reading = this.#reading
      .then(() => Promise.all(this.followers.map((one) => one.advance())))
      .then(
        () => {},
        (error: unknown) => void this.problems.push(String(error)),
      );
    return this.#reading;
  }

  /** In the first round: from then on a reader outside is there. */
  async #follow(): Promise<void> {
    if (this.followers.length > 0) return;
    const reader = await openLog(this.directory, { readOnly: true });
    logs.push(reader);
    this.followers = Array.from({ length: PARTITIONS }, (_, at) => new Follower(reader, at));
    reader.onAppend(TOPIC, () => void this.readOn());
  }

  async #killAtStart(child: Child): Promise<void> {
    this.starts++;
    await this.#sleep(START_MS);
    await this.#kill(child);
    // Whether it had cut a torn tail, nobody knows.
    this.#torn = -1;
  }

  async #kill(child: Child): Promise<void> {
    await child.kill();
    children.splice(children.indexOf(child), 1);
    for (const line of child.takeLines()) this.#note(line);
  }

  /** Notes what it says up to the first line of a kind. */
  async #until(child: Child, kind: string): Promise<void> {
    for (;;) {
      const line = await child.line();
      if (line === undefined) throw new Error(`seed ${this.seed}: it ended: ${child.errors}`);
      this.#note(line);
      if (line.startsWith(kind)) return;
    }
  }

  #note(line: string): void {
    const [what, partition, offset, count, digest = ""] = line.split(" ");
    if (what === "torn") this.#told.add(Number(partition));
    if (what !== "ack") return;
    const place = { partition: Number(partition), offset: Number(offset), count: Number(count) };
    this.acknowledged.push({ ...place, digest });
  }

  #sleep(upToMs: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.#next() % upToMs));
  }
}

/** What is wrong with the log in the end, against what was read and acknowledged meanwhile. */
async function compare(loop: KillLoop): Promise<string[]> {
  const problems = [...loop.problems];
  const writer = await openLog(loop.directory);
  logs.push(writer);
  // The last writer may have died between its bytes and its head.
  await loop.readOn();
  for (const [partition, follower] of loop.followers.entries()) {
    problems.push(...follower.problems);
    const again = new Follower(writer, partition);
    await again.advance();
    if (again.digests.join() !== follower.digests.join()) {
      problems.push(`partition ${partition} is not what was read outside`);
    }
  }
  for (const { partition, offset, count, digest } of loop.acknowledged) {
    const [batch] = await writer.read(TOPIC, partition, offset, 1).catch(() => []);
    const records = batch ? recordsOf(batch).slice(offset - batch.baseOffset) : [];
    if (digestOf(records.slice(0, count)) !== digest) {
      problems.push(`${partition}: ${count} from ${offset} were acknowledged and are not there`);
    }
  }
  return problems;
}

test(
  `a reader outside sees a dense, valid prefix with all that was acknowledged, over ${ROUNDS} kills`,
  async () => {
    const loop = new KillLoop(Number(process.env.HEADRACE_KILL_SEED ?? Date.now() % 1_000_000));
    for (let round = 0; round < ROUNDS; round++) await loop.round();
    const problems = await compare(loop);
    const { seed, starts, tears, acknowledged, followers } = loop;
    const read = followers.map(({ digests }) => digests.length);
    console.log(
      `kill-writer, seed ${seed}: ${ROUNDS} kills, ${starts} of them while it started, ` +
        `${tears} torn tails, ${acknowledged.length} acknowledged batches, ` +
        `${read.join(" + ")} records read outside`,
    );
    expect([seed, problems]).toEqual([seed, []]);
    expect(acknowledged.length).toBeGreaterThanOrEqual(ROUNDS - starts);
  },
  LIMIT_MS,
);
