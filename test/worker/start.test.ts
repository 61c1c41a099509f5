import { afterAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { createConsumer } from "../../src/consumer.ts";
import type { Consumer } from "../../src/consumer-interface.ts";
import { WorkerError } from "../../src/errors.ts";
import type { ConsumerEvents } from "../../src/events.ts";
import type { ConsumerOptions, TopicOptions } from "../../src/options.ts";
import { type MemorySource, memorySource } from "../../src/testing/memory-source.ts";

const TELL = new URL("./modules/tell.ts", import.meta.url);
const SERVES = new URL("./modules/serves.ts", import.meta.url);

const directory = mkdtempSync(join(tmpdir(), "headrace-modules-"));
let files = 0;
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A module of this text. */
function moduleOf(text: string): string {
  const file = join(directory, `module-${files++}.mjs`);
  writeFileSync(file, text);
  return file;
}

/** Gives each message up after one failure, so that what a handler threw is told once. */
const GIVE_UP = {
  onError: "isolate" as const,
  deadLetterQueue: { topic: false as const, maxRetries: 0 },
};

interface Started {
  readonly consumer: Consumer;
  readonly memory: MemorySource;
  readonly errors: ConsumerEvents["error"][];
  /** Messages of what failed calls threw. */
  told(count: number): Promise<string[]>;
}

function consumerOf(
  topics: Record<string, Partial<TopicOptions>>,
  options: Partial<ConsumerOptions> = {},
): Started {
  const memory = memorySource();
  const given = Object.entries(topics).map(([name, topic]) => [name, { ...GIVE_UP, ...topic }]);
  const consumer = createConsumer({
    source: memory.source,
    groupId: "g",
    fromBeginning: true,
    workers: 2,
    topics: Object.fromEntries(given),
    ...options,
  } as ConsumerOptions);
  const errors: ConsumerEvents["error"][] = [];
  consumer.on("error", (payload) => void errors.push(payload));
  const messages: string[] = [];
  let look = (): void => {};
  consumer.on("failed", ({ error }) => {
    messages.push(error.message);
    look();
  });
  const told = (count: number): Promise<string[]> =>
    new Promise((resolve) => {
      look = () => {
        if (messages.length >= count) resolve([...messages].sort());
      };
      look();
    });
  return { consumer, memory, errors, told };
}

/** What run() rejects with. */
async function refusal({ consumer }: Started): Promise<WorkerError> {
  try {
    await consumer.run();
  } catch (error) {
    return error as WorkerError;
  }
  throw new Error("It ran");
}

describe("modules", () => {
  test("W1, W6: are loaded in each thread, TypeScript too, by URL, text or path, with deserializers of their own", async () => {
    const virtualPartitions = { partitioner: () => "k", maxPartitions: 1 };
    const started = consumerOf({
      a: { module: TELL, maxMessages: 2, virtualPartitions },
      b: { module: TELL.href, deserializer: () => "another", virtualPartitions },
      c: { module: fileURLToPath(TELL), virtualPartitions },
      d: { module: moduleOf("export const eachMessage = (m) => { throw m.offset; }") },
    });
    const { consumer, memory, told, errors } = started;
    await consumer.start();
    memory.deliver("a", 0, [{ value: "1" }, { value: "22" }]);
    for (const topic of ["b", "c", "d"]) memory.deliver(topic, 0, [{ value: "333" }]);
    expect(await told(6)).toEqual(["0", "a 0 [1,2]", "a 0 [1]", "a 0 [2]", "b 0 [3]", "c 0 [3]"]);
    await consumer.close();
    expect(errors).toEqual([]);
  });

  test("serve() in a file of one's own: as a thread, and by its URL", async () => {
    const started = consumerOf({
      own: { module: () => new Worker(SERVES) },
      url: { module: SERVES },
    });
    await started.consumer.start();
    started.memory.deliver("own", 0, [{ value: "1" }]);
    started.memory.deliver("url", 0, [{ value: "22" }]);
    expect(await started.told(2)).toEqual(["served 1", "served 2"]);
    await started.consumer.close();
    expect(started.errors).toEqual([]);
  });

  const BROKEN: [string, TopicOptions["module"], string][] = [
    ["is missing", new URL("./modules/none.ts", import.meta.url), "modules/none.ts"],
    ["throws", moduleOf("throw new TypeError('not today')"), "not today"],
    [
      "is no JavaScript",
      moduleOf("export const = 1"),
      ".mjs as it must be a module that can be imported",
    ],
    ["exports nothing", moduleOf("export const other = 1"), "received other"],
    [
      "exports two handlers",
      moduleOf("export const eachMessage = () => {}, eachBatch = eachMessage"),
      "exactly one of eachMessage, eachBatch, consumer: received eachMessage and eachBatch",
    ],
    ["exports no function", moduleOf("export const eachMessage = 7"), "received number"],
    [
      "has a deserializer that is no function",
      moduleOf("export const eachMessage = () => {}, deserializer = 'json'"),
      "deserializer must be a function: received string",
    ],
    [
      "ends its thread",
      moduleOf("import process from 'node:process'; process.exit(5)"),
      "must load its modules first",
    ],
    [
      "cannot be started",
      () => {
        throw new Error("no thread for you");
      },
      "no thread for you",
    ],
  ];
  test.each(BROKEN)(
    "W3, R8: one that %s is one clear fatal error of run()",
    async (_name, module, said) => {
      const started = consumerOf({ t: { module: module! } });
      const error = await refusal(started);
      expect(error).toBeInstanceOf(WorkerError);
      expect(error.code).toBe("HEADRACE_WORKER_LOAD");
      expect(error.message).toContain(said);
      expect(started.errors).toMatchObject([
        { fatal: true, error: { code: "HEADRACE_WORKER_LOAD", message: error.message } },
      ]);
      await expect(started.consumer.closed).rejects.toBe(error);
      expect(started.consumer.state).toBe("closed");
    },
  );

  test("a consumer that is closed while its threads start ends them", async () => {
    const started = consumerOf({ t: { module: moduleOf("await new Promise(() => {})") } });
    const run = started.consumer.run();
    const report = await started.consumer.close();
    expect(report).toEqual({ drained: 0, abandoned: 0, uncommitted: [] });
    expect(await run).toEqual(report);
    expect(started.errors).toEqual([]);
  });
});

describe("without shared memory", () => {
  test("W4, W6: modules run inline, with a warning; partitioner and handler have their own deserializers", async () => {
    const shared = globalThis.SharedArrayBuffer;
    const keys: unknown[] = [];
    const started = consumerOf({
      t: {
        module: moduleOf(`
          export const consumer = ({ virtualPartition }) => ({
            consume: ({ messages }) => {
              throw new Error([virtualPartition, ...messages.map((m) => m.payload)].join());
            },
          });
          export const deserializer = (value) => "module " + value.length;`),
        deserializer: () => "option",
        virtualPartitions: {
          partitioner: ({ payload }) => {
            keys.push(payload);
            return "k";
          },
          maxPartitions: 1,
        },
      },
      u: { module: SERVES },
    });
    Object.assign(globalThis, { SharedArrayBuffer: undefined });
    try {
      await started.consumer.start();
    } finally {
      Object.assign(globalThis, { SharedArrayBuffer: shared });
    }
    expect(started.errors).toMatchObject([
      {
        fatal: false,
        error: {
          name: "WorkerError",
          code: "HEADRACE_WORKERS_UNAVAILABLE",
          message:
            "Cannot use worker threads as this runtime must have threads with shared memory: " +
            "modules run in this thread instead",
        },
      },
    ]);
    started.memory.deliver("t", 0, [{ value: "1" }]);
    started.memory.deliver("u", 0, [{ value: "22" }]);
    expect(await started.told(2)).toEqual(["0,module 1", "served 2"]);
    expect(keys).toEqual(["option"]);
    await started.consumer.close();
  });

  test("W4: a thread's own file cannot run inline: a fatal error", async () => {
    const shared = globalThis.SharedArrayBuffer;
    const started = consumerOf({ t: { module: () => new Worker(SERVES) } });
    Object.assign(globalThis, { SharedArrayBuffer: undefined });
    try {
      expect((await refusal(started)).code).toBe("HEADRACE_WORKERS_UNAVAILABLE");
    } finally {
      Object.assign(globalThis, { SharedArrayBuffer: shared });
    }
  });
});

describe("the process", () => {
  const ended = async (text: string): Promise<unknown> => {
    const file = fileURLToPath(new URL("./exit-child.ts", import.meta.url));
    const deno = ["run", "-A", "--no-check"];
    const args = "Deno" in globalThis ? [...deno, file, moduleOf(text)] : [file, moduleOf(text)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    const code = await new Promise((resolve) => child.once("close", resolve));
    return { code, ...JSON.parse(output) };
  };

  test.each([
    ["is idle", "export const eachMessage = () => {}"],
    ["has timers", "setInterval(() => {}, 1000); export const eachMessage = () => {}"],
  ])("W5: ends after close() when a module %s", async (_name, text) => {
    const report = { drained: 0, abandoned: 0, uncommitted: [] };
    expect(await ended(text)).toEqual({ code: 0, ran: { report }, lastError: null });
  });

  test("W5: ends after a module could not be loaded", async () => {
    const code = "HEADRACE_WORKER_LOAD";
    expect(await ended("export {}")).toEqual({ code: 0, ran: { rejected: code }, lastError: code });
  });
});
