/** Dead letter topics under control: a memory source whose sink waits, fails and answers as a test says. */
import { type HeadraceError, ProduceError } from "../../src/errors.ts";
import type { DeadLetterQueueOptions, TopicOptions } from "../../src/options.ts";
import type { Sink, SinkBatch, SinkOutcome, SourceFactory } from "../../src/source/source.ts";
import { type MemorySource, memorySource } from "../../src/testing/memory-source.ts";
import type { Message } from "../../src/types.ts";
import { laneByKey, type RigOptions, TOPIC } from "./rig.ts";

export const DEAD = "orders.dead";
const RETRY = { backoffMs: 100, multiplier: 1, maxBackoffMs: 100, jitter: 0 };

/** A request that waits for its answer. */
interface Request {
  readonly batch: SinkBatch;
  /** Written and acknowledged. */
  acknowledge(): void;
  fail(error?: HeadraceError): void;
}

export class HeldSink {
  readonly memory: MemorySource;
  /** The memory's source with this sink. */
  readonly source: SourceFactory;
  /** Requests wait for the test; else they are answered at once. */
  held = false;
  /** `partitionCount()` waits for it. */
  gate: Promise<void> = Promise.resolve();
  /** Errors of the next requests. */
  readonly failures: HeadraceError[] = [];
  /** Every batch that was sent, whatever became of it. */
  readonly sent: SinkBatch[] = [];
  readonly waiting: Request[] = [];
  opened = 0;
  closed = 0;

  constructor(topics: Record<string, number> = { [TOPIC]: 2, [DEAD]: 3 }) {
    const memory = memorySource({ topics });
    this.memory = memory;
    this.source = { ...memory.source, sink: () => this.#wrap(memory) };
  }

  /** Options of a rig over this sink. */
  rig(topic: object, more: Partial<RigOptions> = {}): RigOptions {
    const consumer = { source: this.source, ...more.consumer };
    return { topic: topic as never, ...more, memory: this.memory, consumer };
  }

  /** Source offsets of the records that a dead letter topic holds, by partition. */
  letters(partition: number, topic: string = DEAD): number[] {
    return this.memory
      .records(topic, partition)
      .map(({ headers }) => Number(textOf(headers, "headrace-source-offset")));
  }

  /** Source offsets of what was sent, in order. */
  get sentOffsets(): number[] {
    return this.sent.flatMap(({ records }) =>
      records.map(({ headers }) => Number(textOf(headers, "headrace-source-offset"))),
    );
  }

  #wrap(memory: MemorySource): Sink {
    const sink = memory.source.sink!();
    return {
      open: async () => {
        this.opened++;
        await sink.open();
      },
      partitionCount: async (topic) => {
        await this.gate;
        return sink.partitionCount(topic);
      },
      send: (batches) => Promise.all(batches.map((batch) => this.#send(sink, batch))),
      close: async () => {
        this.closed++;
        await sink.close();
      },
    };
  }

  async #send(sink: Sink, batch: SinkBatch): Promise<SinkOutcome> {
    this.sent.push(batch);
    const error = this.failures.shift();
    if (error !== undefined) return { error };
    if (this.held) {
      const refused = await new Promise<HeadraceError | null>((resolve) => {
        this.waiting.push({
          batch,
          acknowledge: () => resolve(null),
          fail: (cause: HeadraceError = new ProduceError("planned", { retriable: true })) =>
            resolve(cause),
        });
      });
      if (refused !== null) return { error: refused };
    }
    return (await sink.send([batch]))[0]!;
  }
}

/** A topic whose messages with these keys fail, on four lanes that the first character names. */
export function poisonous(
  queue: Partial<DeadLetterQueueOptions>,
  more: object = {},
): { handled: number[]; topic: TopicOptions } {
  const handled: number[] = [];
  const topic = {
    retry: RETRY,
    virtualPartitions: laneByKey(4),
    deadLetterQueue: { topic: DEAD, maxRetries: 2, ...queue },
    eachMessage: async (message: Message) => {
      handled.push(message.offset);
      if (message.keyText()?.includes("x")) throw new TypeError("poison");
    },
    ...more,
  } as TopicOptions;
  return { handled, topic };
}

/** A header's text, or null. */
export function textOf(
  headers: readonly (readonly [string, Uint8Array])[],
  name: string,
): string | null {
  const found = headers.find(([one]) => one === name);
  return found === undefined ? null : new TextDecoder().decode(found[1]);
}
