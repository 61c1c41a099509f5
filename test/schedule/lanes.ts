/** Batches and lanes for tests of the scheduling parts. */
import { expect } from "bun:test";
import { Lane } from "../../src/lane.ts";
import { PolledBatch } from "../../src/polled-batch.ts";
import { recordList } from "../../src/source/record-list.ts";

const lease = { topic: "t", partition: 0 };

/** A batch with these offsets; `order` is by index, hashes are the indexes' keys. */
export function batchOf(offsets: readonly number[], hashes: readonly number[] = []): PolledBatch {
  const records = recordList(
    offsets.map((offset) => ({ offset, timestamp: 0, key: null, value: null, headers: [] })),
  );
  const nextOffset = offsets[offsets.length - 1]! + 1;
  const polled = new PolledBatch(lease, { lease, records, nextOffset, highWatermark: -1 }, null, 0);
  polled.order = Uint32Array.from(offsets, (_, i) => i);
  polled.hashes = Uint32Array.from(hashes.length > 0 ? hashes : offsets.map((_, i) => i));
  return polled;
}

/** A lane whose messages have these offsets. */
export function laneOf(offsets: readonly number[], id = 0): Lane {
  const lane = new Lane(id);
  lane.add(batchOf(offsets), 0, offsets.length);
  return lane;
}

/** `expect(actual).toBe(wanted)` for long loops: under Node each `expect` costs some 30 µs. */
export function same(actual: unknown, wanted: unknown): void {
  if (!Object.is(actual, wanted)) expect(actual).toBe(wanted);
}
