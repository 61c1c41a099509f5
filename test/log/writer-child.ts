/**
 * The writing process of a log: does what it is told, one JSON line each, and answers in lines.
 *
 *     writer-child.ts DIRECTORY [OPTIONS AS JSON]
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { createInterface } from "node:readline";
import { openLog } from "../../src/adapters/log.ts";
import type { SinkRecord } from "../../src/source/source.ts";

/** A record as it travels in JSON. */
export interface PlainRecord {
  readonly key: string | null;
  readonly value: string | null;
  readonly headers?: readonly (readonly [string, string])[];
  readonly timestamp?: number;
}

/** What the writer can do. */
export type WriterCall =
  | { readonly act: "createTopic"; readonly topic: string; readonly partitions: number }
  | {
      readonly act: "append";
      readonly topic: string;
      readonly partition: number;
      readonly records: readonly PlainRecord[];
    }
  | { readonly act: "grow"; readonly topic: string; readonly partitions: number };

const [directory, options = "{}"] = process.argv.slice(2);
const log = await openLog(directory!, JSON.parse(options));

function bytes(text: string | null): Uint8Array | null {
  return text === null ? null : Buffer.from(text);
}

function toRecord({ key, value, headers = [], timestamp = Date.now() }: PlainRecord): SinkRecord {
  return {
    key: bytes(key),
    value: bytes(value),
    headers: headers.map(([name, text]) => [name, Buffer.from(text)] as const),
    timestamp,
    id: null,
  };
}

async function run(call: WriterCall): Promise<unknown> {
  if (call.act === "createTopic") return log.createTopic(call.topic, call.partitions);
  if (call.act === "append") {
    return log.append(call.topic, call.partition, call.records.map(toRecord));
  }
  const { topic, partitions } = call;
  const again = await openLog(directory!, { topics: { [topic]: { partitions } } });
  return again.close();
}

process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await run(JSON.parse(line)).then(
    (result) => ({ result: result ?? null }),
    (error: unknown) => ({ error: String(error) }),
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await log.close();
