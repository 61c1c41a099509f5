/**
 * The data structures of the hot path by themselves, per 10,000 messages of one batch.
 *
 *   node bench/stages.ts [--json]
 *
 * Read them beside `overhead`, which has the whole path on a real broker.
 */
import { bench, do_not_optimize, run } from "mitata";
import { Lane } from "../src/lane.ts";
import { OffsetTracker } from "../src/mark/offset-tracker.ts";
import { MessageView } from "../src/message.ts";
import { PolledBatch } from "../src/polled-batch.ts";
import { ReadyLanes } from "../src/schedule/ready-lanes.ts";
import type { RecordBatch } from "../src/source/source.ts";

const COUNT = 10_000;
const key = new Uint8Array(8);
const records: RecordBatch = {
  count: COUNT,
  baseOffset: 0,
  offsetDeltas: null,
  byteLength: COUNT * 600,
  keyAt: () => key,
  valueAt: () => key,
  timestampAt: () => 0,
  headersAt: () => ({ get: () => null, text: () => null, has: () => false, entries: () => [] }),
};
const lease = { topic: "bench", partition: 0 };
const given = { lease, records, nextOffset: COUNT, highWatermark: COUNT };
const batch = new PolledBatch(lease, given, null, 0);
batch.order = Uint32Array.from({ length: COUNT }, (_, index) => index);

let base = 0;
const tracker = new OffsetTracker(0);
bench("mark: deliver a batch, mark it in order", () => {
  tracker.deliver(base, COUNT, null, base + COUNT);
  for (let i = 0; i < COUNT; i++) tracker.mark(base + i);
  base += COUNT;
  do_not_optimize(tracker.committable);
});

bench("process: make each view, read key and offset", () => {
  let sum = 0;
  for (let i = 0; i < COUNT; i++) {
    const message = new MessageView(batch, i);
    sum += message.key!.length + message.offset;
  }
  do_not_optimize(sum);
});

const one = new Lane(0);
bench("schedule: one lane, all messages through it", () => {
  one.add(batch, 0, COUNT);
  while (one.length > 0) one.shift();
});

const lanes = Array.from({ length: COUNT }, (_, id) => new Lane(id));
bench("schedule: a lane per message, ready in order", () => {
  const ready = new ReadyLanes();
  for (let i = 0; i < COUNT; i++) {
    lanes[i]!.add(batch, i, i + 1);
    ready.push(lanes[i]!);
  }
  for (let lane = ready.pop(); lane !== undefined; lane = ready.pop()) lane.shift();
});

await run({ format: process.argv.includes("--json") ? "json" : "mitata" });
