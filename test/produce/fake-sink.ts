import type { Sink, SinkBatch, SinkOutcome, SourceFactory } from "../../src/source/source.ts";

/** A request that a fake sink has got and not answered. */
export interface HeldRequest {
  readonly batches: readonly SinkBatch[];
  answer(outcomes?: readonly SinkOutcome[]): void;
  refuse(error: unknown): void;
}

const decoder = new TextDecoder();

/** A sink that notes what it gets, stores it in order and, when asked, keeps its answers back. */
export class FakeSink implements Sink {
  readonly requests: (readonly SinkBatch[])[] = [];
  readonly held: HeldRequest[] = [];
  readonly counts: Record<string, number>;
  /** true: requests wait in `held`. */
  hold = false;
  opened = 0;
  closed = 0;
  countAsked = 0;
  onOpen: () => Promise<void> = async () => {};
  onCount: (topic: string) => Promise<number> = async (topic) => this.counts[topic] ?? 0;
  readonly #ends = new Map<string, number>();

  constructor(counts: Record<string, number>) {
    this.counts = counts;
  }

  /** What `createProducer` takes. */
  get factory(): SourceFactory {
    const open = (): never => {
      throw new Error("a producer opens no source");
    };
    return { open, sink: () => this };
  }

  async open(): Promise<void> {
    this.opened += 1;
    await this.onOpen();
  }

  partitionCount(topic: string): Promise<number> {
    this.countAsked += 1;
    return this.onCount(topic);
  }

  send(batches: readonly SinkBatch[]): Promise<readonly SinkOutcome[]> {
    this.requests.push(batches);
    if (!this.hold) return Promise.resolve(this.#store(batches));
    return new Promise((resolve, reject) => {
      const answer = (outcomes = this.#store(batches)): void => resolve(outcomes);
      this.held.push({ batches, answer, refuse: reject });
    });
  }

  async close(): Promise<void> {
    this.closed += 1;
  }

  /** Values of each batch that was sent, as `topic#partition: a b c`. */
  sent(): string[] {
    return this.requests.flat().map(({ topic, partition, records }) => {
      const values = records.map(({ value }) => (value ? decoder.decode(value) : "null"));
      return `${topic}#${partition}: ${values.join(" ")}`;
    });
  }

  #store(batches: readonly SinkBatch[]): SinkOutcome[] {
    return batches.map(({ topic, partition, records }) => {
      const name = `${topic}#${partition}`;
      const baseOffset = this.#ends.get(name) ?? 0;
      this.#ends.set(name, baseOffset + records.length);
      return { baseOffset };
    });
  }
}
