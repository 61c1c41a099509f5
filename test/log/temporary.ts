import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../../src/log/log.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import type { SinkRecord } from "../../src/source/source.ts";

const made: string[] = [];

/** A directory of its own; `removeTemporary()` takes all of them away. */
export function temporaryDirectory(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "headrace-log-")));
  made.push(path);
  return path;
}

export function removeTemporary(): void {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
}

/** A record with a text key and value. */
export function record(key: string | null, value: string | null): SinkRecord {
  const bytes = (text: string | null) => (text === null ? null : new TextEncoder().encode(text));
  return {
    key: bytes(key),
    value: bytes(value),
    headers: [],
    timestamp: 1_700_000_000_123,
    id: null,
  };
}

/** `count` records whose values are their numbers from `first` on. */
export function numbered(first: number, count: number): SinkRecord[] {
  return Array.from({ length: count }, (_, at) => record(`k${(first + at) % 3}`, `v${first + at}`));
}

/** Values of all records of partition 0 of topic "t", as text. */
export async function storedValues(log: Log): Promise<string[]> {
  const values: string[] = [];
  const { logStart, logEnd } = await log.bounds("t", 0);
  for (let offset = logStart; offset < logEnd; ) {
    for (const batch of await log.read("t", 0, offset)) {
      const records = new RawRecords(batch);
      for (let at = 0; at < records.count; at++) values.push(String(records.valueAt(at)));
      offset = batch.baseOffset + batch.count;
    }
  }
  return values;
}

/** A seeded generator of unsigned 32-bit integers (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
