/** The log as a source in a process that does not write it, while another one does. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { log, openLog } from "../../src/adapters/log.ts";
import { LogError } from "../../src/errors.ts";
import { systemClock } from "../../src/runtime/system-clock.ts";
import { type SourceHarness, sourceCases } from "../../src/source/conformance.ts";
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

  test("the lock stays the other process's: this one cannot write", async () => {
    const sink = log(directory).sink();
    await expect(sink.open()).rejects.toThrow(LogError);
    await expect(sink.open()).rejects.toThrow(`held by process ${writer.child.pid}`);
  });
});
