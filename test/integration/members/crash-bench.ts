import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Admin, Kafka, logLevel, type Message, Partitioners } from "kafkajs";
import { newTopic } from "../../kafka/admin.ts";
import { unique } from "../consumer-harness.ts";
import { Journal } from "./journal.ts";
import { checkJournal, type JournalReport } from "./journal-check.ts";
import { JournalView } from "./journal-view.ts";
import type { MemberOptions } from "./member-options.ts";
import { MemberProcess } from "./member-process.ts";

/** Between two looks at a journal. */
const POLL_MS = 10;
/** Members under load on a small machine must not be given up by mistake. */
const WANTED_SESSION_TIMEOUT_MS = 2000;
/** Kafka's default of `group.min.session.timeout.ms`. */
const DEFAULT_MIN_SESSION_TIMEOUT_MS = 6000;
/** kafkajs's `ConfigResourceTypes.BROKER`, a name that Node cannot import from it. */
const BROKER_CONFIG = 4;
const MIN_SESSION_TIMEOUT = "group.min.session.timeout.ms";
/** Of 4 KiB each they are still below a broker's limit, also in one partition. */
const RECORDS_PER_REQUEST = 200;
const LIMIT_MS = 60_000;
const MAX_ERRORS = 5;
const OFFSET_ATTEMPTS = 50;
const OFFSET_RETRY_MS = 200;

/** Enough for a broker that is away for some seconds. */
const RETRY = { retries: 20, initialRetryTime: 200, maxRetryTime: 1000 };

/** What a member is told beside what the bench knows. */
export type MemberJob = Omit<
  MemberOptions,
  "name" | "journal" | "bootstrap" | "groupId" | "topics" | "sessionTimeoutMs"
>;

/** One topic, one group and its members, one journal. `close()` leaves no process behind. */
export class CrashBench {
  readonly topic: string;
  readonly groupId: string;
  readonly kafka: Kafka;
  readonly view: JournalView;
  readonly sessionTimeoutMs: number;
  readonly #bootstrap: string;
  readonly #admin: Admin;
  readonly #directory: string;
  readonly #journal: Journal;
  readonly #members: MemberProcess[] = [];
  readonly #topics: string[] = [];

  constructor(name: string, bootstrap: string, kafka: Kafka, admin: Admin, sessionMs: number) {
    this.topic = unique(name);
    this.groupId = unique(name);
    this.kafka = kafka;
    this.sessionTimeoutMs = sessionMs;
    this.#bootstrap = bootstrap;
    this.#admin = admin;
    this.#directory = mkdtempSync(join(tmpdir(), "headrace-crash-"));
    this.#journal = new Journal(this.#journalPath, "test");
    this.view = new JournalView(this.#journalPath);
  }

  /**
   * Connects to the broker and creates the topic.
   *
   * @param sessionTimeoutMs Default: short, so that killed members are given up soon.
   */
  static async open(
    name: string,
    bootstrap: string,
    numPartitions: number,
    sessionTimeoutMs: number = WANTED_SESSION_TIMEOUT_MS,
  ): Promise<CrashBench> {
    const kafka = new Kafka({
      brokers: bootstrap.split(","),
      logLevel: logLevel.NOTHING,
      retry: RETRY,
    });
    const admin = kafka.admin();
    await admin.connect();
    const minimum = await minSessionTimeoutMs(admin);
    const sessionMs = Math.max(sessionTimeoutMs, minimum);
    const bench = new CrashBench(name, bootstrap, kafka, admin, sessionMs);
    await bench.createTopic(bench.topic, numPartitions);
    return bench;
  }

  get #journalPath(): string {
    return join(this.#directory, "journal");
  }

  async createTopic(topic: string, numPartitions: number): Promise<void> {
    this.#topics.push(topic);
    await newTopic(this.#admin, topic, numPartitions);
  }

  /** Produces as Kafka's own clients do: by key, or anywhere without one. */
  async produce(messages: readonly Message[]): Promise<void> {
    const producer = this.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    for (let from = 0; from < messages.length; from += RECORDS_PER_REQUEST) {
      const some = messages.slice(from, from + RECORDS_PER_REQUEST);
      await producer.send({ topic: this.topic, messages: some });
    }
    await producer.disconnect();
  }

  /** Messages with keys k0, k1, … in turns; values of at least so many bytes. */
  fill(count: number, keys: number, valueBytes: number = 0): Promise<void> {
    const numbers = Array.from({ length: count }, (_, number) => number);
    const value = (n: number): string => `${n}`.padEnd(valueBytes, ".");
    return this.produce(numbers.map((n) => ({ key: `k${n % keys}`, value: value(n) })));
  }

  start(name: string, job: MemberJob): MemberProcess {
    const { topic, groupId, sessionTimeoutMs } = this;
    const member = new MemberProcess({
      ...job,
      name,
      journal: this.#journalPath,
      bootstrap: this.#bootstrap,
      groupId,
      topics: [topic],
      sessionTimeoutMs,
    });
    this.#members.push(member);
    return member;
  }

  /** `kill -9`. Whatever ran in the process runs no more from the journal's next entry on. */
  async kill(member: MemberProcess): Promise<void> {
    await member.kill();
    this.#journal.write({ kind: "exited", of: member.name });
  }

  /** Asks a member to close, and waits for its end. */
  async terminate(member: MemberProcess): Promise<void> {
    const { code, signal } = await within(member.terminate(), `end of ${member.name}`, LIMIT_MS);
    this.#journal.write({ kind: "exited", of: member.name });
    if (code === 0) return;
    throw new Error(`member ${member.name} ended with ${signal ?? code}: ${member.output}`);
  }

  note(text: string): void {
    this.#journal.write({ kind: "note", text });
  }

  /** Reads what is stored for the group, and writes it down: the next member is given no more. */
  async writeStored(): Promise<number[]> {
    const logEnds = await this.#ends(this.topic);
    const { topic, groupId } = this;
    const [found] = await this.#admin.fetchOffsets({ groupId, topics: [topic] });
    const partitions = [...(found?.partitions ?? [])].sort((a, b) => a.partition - b.partition);
    for (const { partition, offset, metadata } of partitions) {
      if (Number(offset) < 0) continue;
      const logEnd = logEnds[partition] ?? 0;
      const stored = { offset: Number(offset), metadata: metadata ?? "", logEnd };
      this.#journal.write({ kind: "stored", topic, partition, ...stored });
    }
    return partitions.map(({ offset }) => Number(offset));
  }

  /** Records in a topic: the sum of the log ends. */
  async count(topic: string = this.topic): Promise<number> {
    return (await this.#ends(topic)).reduce((sum, end) => sum + end, 0);
  }

  async #ends(topic: string): Promise<number[]> {
    const ends: number[] = [];
    for (const { partition, high } of await this.#offsets(topic)) ends[partition] = Number(high);
    return ends;
  }

  /** kafkajs asks once only; a broker that has just come back does not lead its partitions yet. */
  async #offsets(topic: string): ReturnType<Admin["fetchTopicOffsets"]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#admin.fetchTopicOffsets(topic);
      } catch (error) {
        if (attempt === OFFSET_ATTEMPTS) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, OFFSET_RETRY_MS));
    }
  }

  /** Waits until the journal shows something. */
  async until(what: string, holds: (view: JournalView) => boolean): Promise<void> {
    const limitMs = performance.now() + LIMIT_MS;
    for (;;) {
      this.view.read();
      if (holds(this.view)) return;
      const problem = this.#members.find((member) => member.problem !== null)?.problem;
      if (problem) throw new Error(problem);
      if (performance.now() > limitMs) throw new Error(`no ${what} ${this.#state()}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /**
   * Waits until every message of the log is done, or until the group has committed the end of the
   * log: then `check()` tells what was lost.
   *
   * @param count Records of the topic. Default: what its leaders say, right after a crash too little.
   */
  async untilEnd(count?: number): Promise<void> {
    const end = count ?? (await this.count());
    await this.until("end of the log", (view) => view.done >= end || view.committed >= end);
  }

  #state(): string {
    const { done, entries } = this.view;
    const errors = entries.flatMap((entry) => (entry.kind === "error" ? [entry.message] : []));
    const said = this.#members.flatMap(({ name, hasEnded, output }) =>
      hasEnded ? [] : [`${name}: ${output}`],
    );
    return [
      `within ${LIMIT_MS / 1000} s: ${done} messages are done`,
      ...errors.slice(-MAX_ERRORS),
      ...said,
    ].join("\n");
  }

  /** Judges the journal against what the log holds now. */
  async check(): Promise<JournalReport> {
    this.view.read();
    const ends = (await this.#ends(this.topic)).map(
      (end, partition) => [`${this.topic}#${partition}`, end] as const,
    );
    return checkJournal(this.view.entries, new Map(ends));
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()));
    await this.#admin.deleteTopics({ topics: this.#topics }).catch(() => {}); // it may be gone
    await this.#admin.disconnect();
    this.view.close();
    this.#journal.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The shortest session timeout that the broker takes. */
async function minSessionTimeoutMs(admin: Admin): Promise<number> {
  try {
    const { brokers } = await admin.describeCluster();
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [
        {
          type: BROKER_CONFIG,
          name: String(brokers[0]?.nodeId),
          configNames: [MIN_SESSION_TIMEOUT],
        },
      ],
    });
    return Number(resources[0]?.configEntries[0]?.configValue ?? DEFAULT_MIN_SESSION_TIMEOUT_MS);
  } catch {
    // A user's broker may not let everybody read its configuration.
    return DEFAULT_MIN_SESSION_TIMEOUT_MS;
  }
}

async function within<T>(promise: Promise<T>, what: string, limitMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${limitMs / 1000} s`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
