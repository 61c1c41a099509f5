import type {
  Admin,
  AssignedLease,
  Clock,
  Source,
  SourceBatch,
  SourceFactory,
} from "../../index.ts";
import { CommandError } from "../command-error.ts";
import { commandLogger } from "../logger.ts";
import { withDeadline } from "../with-deadline.ts";
import type { AnalysisInput } from "./analysis-input.ts";
import { CliMessage } from "./cli-message.ts";
import { lengthOf, type PartitionRange, rangeOf, type TopicSelection } from "./topic-range.ts";

const ADMIN_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5000;
/** Bytes that wait for the analysis, at most, beyond one delivery a broker. */
const MAX_BYTES = 32 << 20;

const clock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
  defer: (callback) => void setImmediate(callback),
};

/**
 * A topic on brokers, as it is now. Read as a group of its own that stores nothing and is gone afterwards.
 *
 * @param name The brokers, for messages.
 * @throws {CommandError | HeadraceError} When there is no such topic or partition, or no broker answers.
 */
export async function kafkaTopic(
  factory: SourceFactory,
  name: string,
  selection: TopicSelection,
  say: (line: string) => void,
): Promise<AnalysisInput> {
  const admin = factory.admin!();
  try {
    const looked = look(admin, name, selection);
    const { partitions, ranges } = await withDeadline(
      looked,
      ADMIN_TIMEOUT_MS,
      `read from ${name}`,
    );
    return new KafkaTopic(factory, selection.topic, partitions, ranges, say);
  } finally {
    await admin.close();
  }
}

async function look(
  admin: Admin,
  name: string,
  selection: TopicSelection,
): Promise<{ partitions: number; ranges: PartitionRange[] }> {
  const { topic, partition } = selection;
  await admin.open();
  const partitions = (await admin.partitionCounts([topic])).get(topic);
  if (partitions === undefined) {
    const rule = `the topic must exist at ${name}`;
    throw new CommandError(`Cannot analyze as ${rule}: received "${topic}"`);
  }
  if (partition !== undefined && partition >= partitions) {
    throw new CommandError(
      `Cannot analyze as partitions of ${topic} are 0 to ${partitions - 1}: received ${partition}`,
    );
  }
  const bounds = await admin.logBounds(topic);
  const ranges = bounds.map((one) => rangeOf(one, selection));
  const chosen = ranges.filter((one) => partition === undefined || one.partition === partition);
  return { partitions, ranges: chosen };
}

class KafkaTopic implements AnalysisInput {
  readonly name: string;
  readonly partitions: number;
  readonly #factory: SourceFactory;
  readonly #ranges: ReadonlyMap<number, PartitionRange>;
  readonly #say: (line: string) => void;
  /** Next offset of each partition that is not read to its end. */
  readonly #open = new Map<number, number>();

  constructor(
    factory: SourceFactory,
    topic: string,
    partitions: number,
    ranges: readonly PartitionRange[],
    say: (line: string) => void,
  ) {
    this.name = topic;
    this.partitions = partitions;
    this.#factory = factory;
    this.#ranges = new Map(ranges.map((range) => [range.partition, range]));
    this.#say = say;
    for (const { partition, from, until } of ranges) {
      if (from < until) this.#open.set(partition, from);
    }
  }

  async *parts(signal: AbortSignal): AsyncGenerator<CliMessage[], void, undefined> {
    if (this.#open.size === 0) return;
    const mailbox = new Mailbox();
    const source = this.#factory.open({
      groupId: `headrace-analyze-${crypto.randomUUID()}`,
      topics: [this.name],
      member: 0,
      drainTimeoutMs: 1000,
      maxInFlightBytes: MAX_BYTES,
      clock,
      logger: commandLogger(this.#say),
    });
    const wake = (): void => mailbox.wake();
    signal.addEventListener("abort", wake);
    try {
      await this.#start(source, mailbox);
      while (this.#open.size > 0 && !signal.aborted) {
        const batch = await mailbox.next();
        if (batch !== undefined) yield this.#take(batch);
      }
    } finally {
      signal.removeEventListener("abort", wake);
      mailbox.close();
      await source.stop({ leave: true, signal: AbortSignal.timeout(STOP_TIMEOUT_MS) });
    }
  }

  progress(): { share: number | null } {
    const ranges = [...this.#ranges.values()];
    const length = lengthOf(ranges);
    let left = 0;
    for (const [partition, next] of this.#open) {
      left += Math.max(0, this.#ranges.get(partition)!.until - next);
    }
    return { share: length === 0 ? null : 1 - left / length };
  }

  async close(): Promise<void> {}

  async #start(source: Source, mailbox: Mailbox): Promise<void> {
    await source.start({
      assigned: (leases) => {
        mailbox.wake();
        return leases.map((lease) => this.#startOf(lease));
      },
      revoking: async () => {},
      joined: () => {},
      lost: () => {},
      deliver: (batch) => mailbox.put(batch),
      advanced: ({ partition }, nextOffset) => {
        this.#advance(partition, nextOffset);
        mailbox.wake();
      },
      failed: (error, fatal) => {
        if (fatal) mailbox.fail(error);
        else this.#say(`error: ${error.message}`);
      },
    });
  }

  /** Where a partition is read from: its end, if it is not wanted. */
  #startOf({ lease: { partition }, logStart, logEnd }: AssignedLease): number {
    // Retention may have overtaken, or the topic may have been made anew, and be shorter.
    this.#advance(partition, logStart);
    const next = this.#open.get(partition) ?? logEnd;
    if (next >= logEnd) this.#open.delete(partition);
    return Math.min(next, logEnd);
  }

  /** Messages of a delivery that are wanted and new: a partition that was lost comes again. */
  #take({ lease: { partition }, records, nextOffset }: SourceBatch): CliMessage[] {
    const next = this.#open.get(partition);
    if (next === undefined) return [];
    const { until } = this.#ranges.get(partition)!;
    const messages: CliMessage[] = [];
    for (let at = 0; at < records.count; at++) {
      const offset = records.baseOffset + (records.offsetDeltas?.[at] ?? at);
      if (offset < next || offset >= until) continue;
      const rest = {
        value: () => records.valueAt(at),
        headers: () => records.headersAt(at).entries(),
      };
      messages.push(new CliMessage(partition, offset, records.keyAt(at), rest));
    }
    this.#advance(partition, nextOffset);
    return messages;
  }

  #advance(partition: number, nextOffset: number): void {
    const next = this.#open.get(partition);
    if (next === undefined) return;
    if (nextOffset >= this.#ranges.get(partition)!.until) this.#open.delete(partition);
    else this.#open.set(partition, Math.max(next, nextOffset));
  }
}

/** Deliveries on their way from the source; the source waits until each is taken. */
class Mailbox {
  readonly #waiting: { batch: SourceBatch; taken: () => void }[] = [];
  #wake: () => void = () => {};
  #failure: Error | undefined;
  #closed = false;

  put(batch: SourceBatch): Promise<void> | undefined {
    if (this.#closed) return undefined;
    const { promise, resolve } = deferred();
    this.#waiting.push({ batch, taken: resolve });
    this.#wake();
    return promise;
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#wake();
  }

  wake(): void {
    this.#wake();
  }

  /** @returns The next one; undefined when something else has happened. */
  async next(): Promise<SourceBatch | undefined> {
    if (this.#waiting.length === 0 && this.#failure === undefined) {
      const { promise, resolve } = deferred();
      this.#wake = resolve;
      await promise;
    }
    if (this.#failure !== undefined) throw this.#failure;
    const first = this.#waiting.shift();
    first?.taken();
    return first?.batch;
  }

  close(): void {
    this.#closed = true;
    for (const { taken } of this.#waiting.splice(0)) taken();
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
