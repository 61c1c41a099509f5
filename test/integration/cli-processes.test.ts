import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { main } from "../../src/cli/cli.ts";
import type { ProcessesResult } from "../../src/cli/run/run-processes.ts";
import type { Admin } from "../../src/source/source.ts";
import { fakeIo } from "../cli/fake-io.ts";
import { fillPartitions } from "./fill-partitions.ts";

const bootstrap = process.env.KAFKA_BOOTSTRAP ?? "";
const COUNT = 900;
const PARTITIONS = 3;
const PROCESSES = 2;
const TIMEOUT_MS = 60_000;
const SESSION_MS = Math.max(2000, Number(process.env.KAFKA_MIN_SESSION_TIMEOUT_MS ?? 6000));

describe.skipIf(bootstrap === "")("headrace run --processes on a broker", () => {
  const factory = kafkajs({ brokers: bootstrap.split(",") });
  const topic = `hr-processes-${Math.random().toString(36).slice(2, 10)}`;
  let directory: string;
  let admin: Admin;

  beforeAll(async () => {
    admin = factory.admin();
    await admin.open();
    await admin.createTopic(topic, PARTITIONS);
    await fillPartitions(factory, topic, PARTITIONS, COUNT / PARTITIONS);
  });
  afterAll(() => admin.close());
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "headrace-processes-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test(
    "one of the processes is killed -9 in the middle: it is started again, nothing is lost",
    async () => {
      // Each process has a file; the first that comes to a message of partition 1's middle dies there, once.
      const handler = `
        import { appendFileSync, writeFileSync } from "node:fs";
        import process from "node:process";
        const at = (name) => ${JSON.stringify(`${directory}/`)} + name;
        export async function eachMessage({ partition, offset }) {
          await new Promise((resolve) => setTimeout(resolve, 2));
          appendFileSync(at("handled-" + process.pid), partition + " " + offset + "\\n");
          if (partition !== 1 || offset !== 150) return;
          try {
            writeFileSync(at("killed"), String(process.pid), { flag: "wx" });
          } catch {
            return;
          }
          process.kill(process.pid, "SIGKILL");
        }`;
      writeFileSync(join(directory, "handler.mjs"), handler);
      const groupId = `${topic}-group`;
      const io = fakeIo({ cwd: directory });
      const code = await main(
        [
          ...["run", "handler.mjs", "--brokers", bootstrap, "--topic", topic, "--group", groupId],
          ...["--from-beginning", "--until-end", "--json", "--concurrency", "20"],
          ...["--processes", String(PROCESSES), "--session-timeout-ms", String(SESSION_MS)],
        ],
        io,
      );
      expect(code === 0 ? "" : io.output.err).toBe("");
      const result = JSON.parse(io.output.out) as ProcessesResult;
      expect(result).toMatchObject({ processes: PROCESSES, restarts: 1, uncommitted: [] });
      expect(io.output.err).toMatch(/^\[[12]\] was ended by SIGKILL; starts again in 250 ms$/m);
      const files = readdirSync(directory).filter((name) => name.startsWith("handled-"));
      const handled = files.flatMap((name) =>
        readFileSync(join(directory, name), "utf8").trimEnd().split("\n"),
      );
      expect(new Set(handled).size).toBe(COUNT);
      for (const { offset } of await admin.committed(groupId, topic)) {
        expect(offset).toBe(COUNT / PARTITIONS);
      }
    },
    TIMEOUT_MS,
  );

  test(
    "one of the processes meets an error that would come again: the others drain, the command ends",
    async () => {
      // Calls wait for a drain. The owner of partition 1 dies once the other one has begun too, and leaves a module
      // behind that is no handler.
      const handler = `
        import { appendFileSync, readdirSync, writeFileSync } from "node:fs";
        import process from "node:process";
        const at = (name) => ${JSON.stringify(`${directory}/`)} + name;
        const begun = () => readdirSync(at("")).filter((name) => name.startsWith("started-")).length;
        export async function eachMessage({ partition, offset }, context) {
          appendFileSync(at("started-" + process.pid), partition + " " + offset + "\\n");
          while (offset >= 50 && !context.draining) {
            if (partition === 1 && begun() === ${PROCESSES}) {
              writeFileSync(at("handler.mjs"), "export const nothing = 1;");
              writeFileSync(at("killed"), String(process.pid));
              process.kill(process.pid, "SIGKILL");
            }
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          appendFileSync(at("ended-" + process.pid), partition + " " + offset + "\\n");
        }`;
      writeFileSync(join(directory, "handler.mjs"), handler);
      const io = fakeIo({ cwd: directory });
      const code = await main(
        [
          ...["run", "handler.mjs", "--brokers", bootstrap, "--topic", topic],
          ...["--group", `${topic}-final`, "--from-beginning", "--concurrency", "20"],
          ...["--processes", String(PROCESSES), "--session-timeout-ms", String(SESSION_MS)],
        ],
        io,
      );
      expect([code, io.exits]).toEqual([2, []]);
      const errors = io.output.err.split("\n").filter((line) => line.includes("Cannot"));
      expect(errors).toEqual([
        expect.stringMatching(/^headrace: Cannot run as .*handler.mjs must export exactly one of/),
      ]);
      const killed = readFileSync(join(directory, "killed"), "utf8");
      const files = readdirSync(directory).filter((name) => name.startsWith("started-"));
      const others = files.filter((name) => name !== `started-${killed}`);
      expect(others.length).toBe(PROCESSES - 1);
      for (const name of others) {
        const lines = (file: string): string[] =>
          readFileSync(join(directory, file), "utf8").trimEnd().split("\n").sort();
        expect(lines(name.replace("started", "ended"))).toEqual(lines(name));
      }
    },
    TIMEOUT_MS,
  );
});
