/** The log as a source in a process that does not write it, while another one does. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { log, openLog } from "../../src/adapters/log.ts";
import { createConsumer } from "../../src/consumer.ts";
import { LogError } from "../../src/errors.ts";
import { systemClock } from "../../src/runtime/system-clock.ts";
import { type SourceHarness, sourceCases } from "../../src/source/conformance.ts";
import type { Message } from "../../src/types.ts";
import { removeTemporary, temporaryDirectory } from "../log/temporary.ts";
import { WriterProcess } from "../log/writer-process.ts";

const logger = { debug() {}, info() {}, warn() {}, error() {} };

describe("log() conforms beside another process that writes", () => {
  let directory = "";
  let writer: WriterProcess;
  let names = 0;

  beforeAll(async () => {
    directory = temporaryDirectory();
    writer = new WriterProcess(directory);
    await writer.ready();
  });

  afterAll(async () => {
    await writer.child.end();
    removeTemporary();
  });

  function harness(): SourceHarness {
    const newName = () => `name-${names++}`;
    return {
      factory: log(directory),
      clock: systemClock,
      logger,
      stepTimeoutMs: 5000,
      quietMs: 20,
      newName,
      createTopic: async (partitions) => {
        const topic = newName();
        await writer.do({ act: "createTopic", topic, partitions });
        return topic;
      },
      produce: async (topic, partition, records) => {
        await writer.do({ act: "append", topic, partition, records });
      },
      committed: async (groupId, topic) => {
        const reader = await openLog(directory, { readOnly: true });
        try {
          return await reader.committed(groupId, topic);
        } finally {
          await reader.close();
        }
      },
      moveToSecond: "joins",
    };
  }

  for (const { name, run } of sourceCases) test(name, () => run(harness()));

  test("Q4: a dead letter queue over the log is a writer, so it is refused at start; one that skips is not", async () => {
    const topic = await harness().createTopic(1);
    const records = ["good", "poison", "good"].map((value) => ({ key: null, value }));
    await writer.do({ act: "append", topic, partition: 0, records });
    const handled: (string | null)[] = [];
    const consume = (deadLetterQueue: { topic: string | false; maxRetries: number }) =>
      createConsumer({
        source: log(directory),
        groupId: `dead-${topic}`,
        logger,
        fromBeginning: true,
        topics: {
          [topic]: {
            retry: { backoffMs: 1 },
            deadLetterQueue,
            eachMessage: (message: Message) => {
              if (message.text() === "poison") throw new Error("poison");
              handled.push(message.text());
            },
          },
        },
      });
    const refused = consume({ topic: "dead", maxRetries: 1 }).run();
    await expect(refused).rejects.toThrow(`held by process ${writer.child.pid}`);
    const consumer = consume({ topic: false, maxRetries: 1 });
    const skipped = new Promise((resolve) => consumer.on("skipped", resolve));
    await consumer.start();
    expect(await skipped).toMatchObject({ topic, partition: 0, offset: 1 });
    await consumer.close();
    expect(handled[0]).toBe("good");
  });

  test("the lock stays the other process's: this one cannot write", async () => {
    const sink = log(directory).sink();
    await expect(sink.open()).rejects.toThrow(LogError);
    await expect(sink.open()).rejects.toThrow(`held by process ${writer.child.pid}`);
  });
});
