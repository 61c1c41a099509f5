import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { main } from "../../src/cli/cli.ts";
import type { RunResult } from "../../src/cli/run/run-report.ts";
import type { Admin } from "../../src/source/source.ts";
import { fakeIo } from "../cli/fake-io.ts";
import { fillPartitions } from "./fill-partitions.ts";

const bootstrap = process.env.KAFKA_BOOTSTRAP ?? "";
const COUNT = 600;
const PARTITIONS = 3;
const TIMEOUT_MS = 60_000;

const HANDLER = `
  export const handled = [];
  export async function eachMessage(message) {
    await new Promise((resolve) => setTimeout(resolve, message.offset % 3));
    handled.push({ partition: message.partition, offset: message.offset, key: message.keyText() });
  }`;

function unique(name: string): string {
  return `hr-cli-${name}-${Math.random().toString(36).slice(2, 10)}`;
}

describe.skipIf(bootstrap === "")("headrace run on a broker", () => {
  const factory = kafkajs({ brokers: bootstrap.split(",") });
  const topic = unique("orders");
  let directory: string;
  let admin: Admin;

  beforeAll(async () => {
    admin = factory.admin();
    await admin.open();
    await admin.createTopic(topic, PARTITIONS);
    await fill(topic);
  });
  afterAll(() => admin.close());
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "headrace-cli-"));
    writeFileSync(join(directory, "handler.mjs"), HANDLER);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const fill = (name: string): Promise<void> =>
    fillPartitions(factory, name, PARTITIONS, COUNT / PARTITIONS);

  function runArguments(groupId: string, name: string): string[] {
    const source = ["--brokers", bootstrap, "--topic", name, "--group", groupId];
    const options = ["--from-beginning", "--until-end", "--json", "--concurrency", "30"];
    return ["run", "handler.mjs", ...source, ...options];
  }

  test(
    "handles all partitions in key order, commits them and ends; a second run finds nothing",
    async () => {
      const groupId = unique("group");
      const io = fakeIo({ cwd: directory });
      expect(await main(runArguments(groupId, topic), io)).toBe(0);
      const result = JSON.parse(io.output.out) as RunResult;
      expect([result.processed, result.failed, result.uncommitted.length]).toEqual([COUNT, 0, 0]);

      const { handled } = await import(pathToFileURL(join(directory, "handler.mjs")).href);
      const last = new Map<string, number>();
      for (const { key, offset } of handled as { key: string; offset: number }[]) {
        expect(offset).toBeGreaterThan(last.get(key) ?? -1);
        last.set(key, offset);
      }
      expect(last.size).toBe(PARTITIONS * 20);
      for (const { offset } of await admin.committed(groupId, topic)) {
        expect(offset).toBe(COUNT / PARTITIONS);
      }

      const again = fakeIo({ cwd: directory });
      expect(await main(runArguments(groupId, topic), again)).toBe(0);
      expect((JSON.parse(again.output.out) as RunResult).processed).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    "a missing topic is one clear line",
    async () => {
      const io = fakeIo({ cwd: directory });
      const missing = unique("missing");
      expect(await main(runArguments(unique("group"), missing), io)).toBe(1);
      expect(io.output.err).toBe(
        `headrace: Cannot run as topic ${missing} must exist at ${bootstrap}: received no such topic\n`,
      );
    },
    TIMEOUT_MS,
  );
});
