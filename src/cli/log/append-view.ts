import type { Log } from "../../adapters/log.ts";
import { count, duration, plural, rate } from "../format.ts";
import type { Io } from "../io.ts";
import { RateMeter } from "../run/rate-meter.ts";
import { StatusLine } from "../status-line.ts";
import { table } from "../table.ts";

const PLAIN_EVERY_MS = 5000;

/** What was written to one partition. */
interface Written {
  readonly partition: number;
  readonly messages: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
}

/** Counts what is appended, and says it: while it goes on, and at the end. */
export class AppendView {
  readonly #io: Io;
  readonly #topic: string;
  readonly #status: StatusLine;
  readonly #rates: RateMeter = new RateMeter();
  readonly #startedAt: number = performance.now();
  readonly #written = new Map<number, Written>();
  /** The next new offset by partition: what lies below it was there already. */
  readonly #next = new Map<number, number>();
  #count = 0;
  #duplicates = 0;

  constructor(io: Io, topic: string) {
    this.#io = io;
    this.#topic = topic;
    this.#status = new StatusLine(io.err, PLAIN_EVERY_MS);
  }

  /** Messages that the log has acknowledged. */
  get count(): number {
    return this.#count;
  }

  note(line: string): void {
    this.#status.print(line);
  }

  /** Looks where the topic ends before anything is appended. */
  async begin(log: Log): Promise<void> {
    const topics = await log.topics();
    const count = topics.find(({ topic }) => topic === this.#topic)?.partitions ?? 0;
    for (let partition = 0; partition < count; partition++) {
      this.#next.set(partition, (await log.bounds(this.#topic, partition)).logEnd);
    }
  }

  appended(results: readonly { partition: number; offset: number | undefined }[]): void {
    for (const { partition, offset = -1 } of results) {
      // A record whose id is known answers with the offset of the first one.
      if (offset < (this.#next.get(partition) ?? 0)) {
        this.#duplicates++;
        continue;
      }
      this.#next.set(partition, offset + 1);
      this.#count++;
      const known = this.#written.get(partition);
      this.#written.set(partition, {
        partition,
        messages: (known?.messages ?? 0) + 1,
        firstOffset: Math.min(known?.firstOffset ?? offset, offset),
        lastOffset: Math.max(known?.lastOffset ?? offset, offset),
      });
    }
    const perSecond = this.#rates.measure(this.#count);
    this.#status.update(() => `${plural(this.#count, "message")} appended  ${rate(perSecond)}`);
  }

  clear(): void {
    this.#status.clear();
  }

  finish(json: boolean): void {
    this.#status.clear();
    const ms = Math.round(performance.now() - this.#startedAt);
    const partitions = [...this.#written.values()].sort((a, b) => a.partition - b.partition);
    const counts = { appended: this.#count, duplicates: this.#duplicates };
    const result = { topic: this.#topic, ...counts, ms, partitions };
    const lines = json ? [JSON.stringify(result)] : this.#lines(partitions, ms);
    this.#io.out.write(`${lines.join("\n")}\n`);
  }

  #lines(partitions: readonly Written[], ms: number): string[] {
    const speed = `${duration(ms)}, ${rate((this.#count / Math.max(1, ms)) * 1000)}`;
    const rows = partitions.map(({ partition, firstOffset, lastOffset, messages }) => [
      `  partition ${partition}`,
      plural(messages, "message"),
      firstOffset === lastOffset
        ? `offset ${count(firstOffset)}`
        : `offsets ${count(firstOffset)} to ${count(lastOffset)}`,
    ]);
    const what = `${plural(this.#count, "message")} to ${this.#topic}`;
    return [
      `Appended ${what} in ${speed}`,
      ...(this.#duplicates === 0
        ? []
        : [`  ${plural(this.#duplicates, "message")} with a known id left out`]),
      ...(rows.length === 0 ? [] : table(rows, ["left", "right", "left"])),
    ];
  }
}
