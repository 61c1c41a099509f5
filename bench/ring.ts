/**
 * Jobs to a worker thread and back: the ring of src/worker against messages of the runtime, in turns, any runtime.
 *
 *   node bench/ring.ts [--json] [--rounds N] [--ms N] [--block-ms N] [--bell]
 *
 * numbers    three numbers there, two back: the channel by itself
 * messages   a key of 16 bytes and a value of 100, as a Kafka client gives them, read by the worker; two numbers back:
 *            the library's own path, encoder, arena and view included
 *
 * Window: jobs on their way at once. Whatever was answered together is followed by as many jobs, sent together, so that
 * arrays are as long as they get. Latency is that of the oldest job of each such lot. A run in which an answer is
 * wrong, missing or out of order throws.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { createChannel } from "../src/worker/create-channel.ts";
import { percentile, type RingResult, RingRun } from "./support/ring-run.ts";
import { postedWays, readAnswer, ringWays, type Way } from "./support/ring-way.ts";
import { median } from "./support/rounds.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    ms: { type: "string", default: "200" },
    "block-ms": { type: "string", default: "0" },
    bell: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const runMs = Number(values.ms);
const WINDOWS = [1, 32, 1024];
const BASELINE = "postMessage, in arrays";

const { end, encoder, memory } = createChannel({
  sleepsByBell: values.bell,
  ring: () => worker.postMessage("bell"),
});
const worker = new Worker(new URL("./support/ring-thread.ts", import.meta.url), {
  workerData: { memory, blockMs: Number(values["block-ms"]), byBell: values.bell },
});
let run: RingRun | undefined;
const ready = new Promise<void>((resolve, reject) => {
  worker.on("error", reject);
  worker.on("message", (posted: "ready" | "bell" | { id: number; answer: number }[]) => {
    if (posted === "bell") return end.rung();
    if (posted === "ready") return resolve();
    for (const { id, answer } of posted) run!.answer(id, answer);
    run!.next();
  });
});
await ready;
const onAnswer = (id: number, value: number): void => run!.answer(id, value);
const listening = end.listen({
  onFrame: (frame) => readAnswer(frame, onAnswer),
  afterBatch: () => {
    run?.next();
    return false;
  },
});

async function measure(way: Way, window: number): Promise<RingResult> {
  run = new RingRun(way, window, runMs);
  run.next();
  const result = await run.result;
  run = undefined;
  return result;
}

const { deno, bun, node } = process.versions;
const runtime = deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : `Node ${node}`;

function report(jobs: string, window: number, results: Map<string, RingResult[]>): void {
  const rateOf = ({ jobs: count, seconds }: RingResult): number => count / seconds;
  const base = results.get(BASELINE)!;
  for (const [way, runs] of results) {
    const perSecond = Math.round(median(runs.map(rateOf)));
    const ratio = median(runs.map((result, round) => rateOf(result) / rateOf(base[round]!)));
    const latencies = runs.flatMap((result) => result.latencies);
    const [p50Us, p99Us] = [0.5, 0.99].map((share) => percentile(latencies, share) * 1000);
    const figures = { jobs, window, way, perSecond, ratio: Number(ratio.toFixed(2)), p50Us, p99Us };
    if (values.json) {
      console.log(JSON.stringify({ runtime, baseline: BASELINE, rounds, ...figures }));
      continue;
    }
    const rate = perSecond.toLocaleString("en").padStart(11);
    const times = [p50Us!, p99Us!].map((us) => us.toFixed(1).padStart(7)).join(" ");
    const cell = `${jobs.padEnd(8)} ${String(window).padStart(4)}  ${way.padEnd(24)}`;
    console.log(`${cell} ${rate}/s  ${ratio.toFixed(2).padStart(6)} ×  p50, p99: ${times} µs`);
  }
}

if (!values.json) console.log(`${runtime}, × ${BASELINE}`);
const posted = postedWays(worker);
const ring = ringWays(end, encoder);
for (const jobs of ["numbers", "messages"] as const) {
  const ways = [...posted[jobs], ring[jobs]];
  for (const window of WINDOWS) {
    const results = new Map<string, RingResult[]>(ways.map(({ name }) => [name, []]));
    for (let round = 0; round <= rounds; round++) {
      for (const way of ways) {
        const result = await measure(way, window);
        // The first one warms up.
        if (round > 0) results.get(way.name)!.push(result);
      }
    }
    report(jobs, window, results);
  }
}
end.close();
await listening;
await worker.terminate();
