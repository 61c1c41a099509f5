/** What the conformance cases are built from. */
import type { Clock, Logger } from "../types.ts";
import { RecordingListener } from "./recording-listener.ts";
import type { CommitOutcome, Lease, Source, SourceFactory } from "./source.ts";

/** One record that a case writes. */
export interface ConformanceRecord {
  readonly key: string | null;
  readonly value: string | null;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Milliseconds since the epoch. */
  readonly timestamp?: number;
}

/** The source under test, and what the cases need around it. Whoever makes it cleans up after the last case. */
export interface SourceHarness {
  readonly factory: SourceFactory;
  /** A real clock. */
  readonly clock: Clock;
  readonly logger: Logger;
  /** Longest that a single step may take; default 20_000. */
  readonly stepTimeoutMs?: number;
  /** How long a case looks on to see that nothing happens; default 300. */
  readonly quietMs?: number;
  /** A name that was never used, for groups and missing topics. */
  newName(): string;
  /** Makes an empty topic and answers its name once it can be written and read. */
  createTopic(partitions: number): Promise<string>;
  /** Appends in order, as one request; settles when the records can be read. */
  produce(topic: string, partition: number, records: readonly ConformanceRecord[]): Promise<void>;
  /** Reads what is stored, not through the source under test. */
  committed(
    groupId: string,
    topic: string,
  ): Promise<readonly { partition: number; offset: number | null; metadata: string }[]>;
  /**
   * Moves a partition from the group's first member to its second, who is starting; settles when it has moved.
   * `"joins"`: the second member's start does it by itself. null: there are no second members.
   */
  readonly moveToSecond: "joins" | ((topic: string, partition: number) => Promise<void>) | null;
}

/** One rule. */
export interface SourceCase {
  readonly name: string;
  /** @throws {Error} When the source breaks the rule. */
  run(harness: SourceHarness): Promise<void>;
}

/** A source that a case has opened, and what it told. */
export interface Member {
  readonly source: Source;
  readonly listener: RecordingListener;
}

/** What one case uses; stops every source that it opened. */
export class Bench {
  readonly harness: SourceHarness;
  readonly #members: Member[] = [];

  constructor(harness: SourceHarness) {
    this.harness = harness;
  }

  open(topics: readonly string[], groupId: string): Member {
    const { factory, clock, logger } = this.harness;
    const source = factory.open({
      groupId,
      topics,
      member: this.#members.length,
      drainTimeoutMs: 10_000,
      clock,
      logger,
    });
    const member = { source, listener: new RecordingListener() };
    this.#members.push(member);
    return member;
  }

  async start(
    topic: string,
    groupId: string = this.harness.newName(),
    prepare: (listener: RecordingListener) => void = () => {},
  ): Promise<Member> {
    const member = this.open([topic], groupId);
    prepare(member.listener);
    await this.within("start() settles", member.source.start(member.listener));
    return member;
  }

  async stop({ source, listener }: Member): Promise<void> {
    const control = new AbortController();
    await this.within("stop() settles", source.stop({ leave: true, signal: control.signal }));
    listener.stopped = true;
  }

  async commit(
    member: Member,
    lease: Lease | undefined,
    offset: number,
    metadata = "",
  ): Promise<CommitOutcome> {
    must(lease !== undefined, "the partition is assigned");
    const entries = [{ lease: lease as Lease, offset, metadata }];
    const signal = AbortSignal.timeout(this.#timeoutMs);
    const outcomes = await this.within("commit() settles", member.source.commit(entries, signal));
    same(outcomes.length, 1, "commit() answers once per entry");
    return outcomes[0] as CommitOutcome;
  }

  async until(what: string, done: () => boolean): Promise<void> {
    const deadline = this.harness.clock.now() + this.#timeoutMs;
    while (!done()) {
      if (this.harness.clock.now() > deadline) throw new Error(`Waited in vain until ${what}`);
      await this.#wait(5);
    }
  }

  /** As `until`, for what must be asked for. */
  async eventually(what: string, done: () => Promise<boolean>): Promise<void> {
    const deadline = this.harness.clock.now() + this.#timeoutMs;
    while (!(await done())) {
      if (this.harness.clock.now() > deadline) throw new Error(`Waited in vain until ${what}`);
      await this.#wait(5);
    }
  }

  quiet(): Promise<void> {
    return this.#wait(this.harness.quietMs ?? 300);
  }

  within<T>(what: string, promise: Promise<T>): Promise<T> {
    const { clock } = this.harness;
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Error(`Waited in vain until ${what}`));
      const timer = clock.setTimer(late, this.#timeoutMs);
      promise.then(resolve, reject).finally(() => clock.clearTimer(timer));
    });
  }

  /** Stops what still runs; the first breach that any listener saw fails the case. */
  async end(): Promise<void> {
    for (const member of this.#members) if (!member.listener.stopped) await this.stop(member);
    for (const { listener } of this.#members) {
      const [breach] = listener.breaches;
      if (breach !== undefined) throw new Error(`The source broke its contract: ${breach}`);
    }
  }

  get #timeoutMs(): number {
    return this.harness.stepTimeoutMs ?? 20_000;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.harness.clock.setTimer(resolve, ms);
    });
  }
}

/** Makes a case that stops its sources whatever happens. */
export function sourceCase(name: string, body: (bench: Bench) => Promise<void>): SourceCase {
  const run = async (harness: SourceHarness): Promise<void> => {
    const bench = new Bench(harness);
    try {
      await body(bench);
    } catch (error) {
      // The case's own failure says more than what the clean-up might find.
      await bench.end().catch(() => {});
      throw error;
    }
    await bench.end();
  };
  return { name, run };
}

/** @throws {Error} When the condition is false. */
export function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(`This must hold: ${what}`);
}

/** @throws {Error} When the two differ as JSON. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (left !== right) throw new Error(`${what}: expected ${right}, received ${left}`);
}

/** Records whose values are the numbers from `from` to `to` − 1. */
export function numbered(from: number, to: number): ConformanceRecord[] {
  return range(from, to).map((i) => ({ key: `k${i % 7}`, value: String(i) }));
}

/** The integers from `from` to `to` − 1. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Bytes as UTF-8 text. */
export function text(bytes: Uint8Array | null): string | null {
  return bytes && new TextDecoder().decode(bytes);
}

/** A promise that a case settles itself. */
export function gate(): { readonly promise: Promise<void>; open(): void } {
  let open = (): void => {};
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open: () => open() };
}

/** The offset that is stored for one partition. */
export async function storedAt(
  bench: Bench,
  groupId: string,
  topic: string,
  partition: number,
): Promise<number | null> {
  const all = await bench.harness.committed(groupId, topic);
  return all.find((one) => one.partition === partition)?.offset ?? null;
}
