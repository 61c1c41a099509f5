/**
 * One message that does not end, while 20,000 a second arrive: 0–5 ms each, 1 partition, 200 at
 * once, per-key.
 *
 *   node bench/stuck.ts [--json] [--only CELL] [--rate N] [--seconds N] [--in-flight N]
 *
 * alone   no other message has its key: the hole is all that there is
 * behind  one message in 40 has its key and queues up behind it: holes above the hole
 * narrow  the same, at a broker that takes 512 units of metadata: the map ends early
 *
 * After --seconds of production the message ends and everything drains. A run in which a message
 * was lost, came twice or out of the order of its key, in which a commit passed the stuck message,
 * or in which the broker's offset is not the log's end, throws.
 */
import { parseArgs } from "node:util";
import { chart } from "../src/cli/chart.ts";
import { table } from "../src/cli/table.ts";
import { withBroker } from "./support/kafka.ts";
import { slope } from "./support/memory.ts";
import {
  runStuck,
  type StuckCell,
  type StuckResult,
  type StuckSample,
} from "./support/stuck-run.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string" },
    rate: { type: "string", default: "20000" },
    seconds: { type: "string", default: "30" },
    "in-flight": { type: "string", default: "10000" },
  },
});
const common = {
  seconds: Number(values.seconds),
  rate: Number(values.rate),
  keys: 100_000,
  maxInFlightMessages: Number(values["in-flight"]),
};
const cells: readonly StuckCell[] = [
  { ...common, name: "alone", behindEvery: 0, maxMetadataLength: 4096 },
  { ...common, name: "behind", behindEvery: 40, maxMetadataLength: 4096 },
  { ...common, name: "narrow", behindEvery: 40, maxMetadataLength: 512 },
];
/** Rows of the table, beside those in which something changes. */
const ROWS = 12;
const CHART = { height: 4, columns: 72 };

/** What would be handled again if the process died now. */
function again({ done, committed, held }: StuckSample): number {
  return Math.max(0, done - committed - held);
}

function explained({ reason, offset, ageMs }: StuckSample): string {
  return offset < 0 ? reason : `${reason} ${whole(offset)}, ${whole(ageMs)} ms`;
}

function perSecond(samples: readonly StuckSample[], at: number): number {
  const now = samples[at]!;
  const before = samples[at - 1];
  if (before === undefined) return now.done / now.seconds;
  return (now.done - before.done) / (now.seconds - before.seconds);
}

/** Every so many, and while the message is stuck those in which the budget changes. */
function isRow({ samples, releasedAt }: StuckResult, at: number): boolean {
  const { seconds, budget } = samples[at]!;
  const before = samples[at - 1];
  if (at % Math.ceil(samples.length / ROWS) === 0 || before === undefined) return true;
  return seconds < releasedAt && before.budget !== budget;
}

function rows(result: StuckResult): string[] {
  const { samples } = result;
  const heading = [
    "s",
    "done/s",
    "in flight",
    "lag",
    "committed",
    "map",
    "held",
    "again",
    "budget",
  ];
  const cellsOf = (sample: StuckSample, at: number): string[] => [
    sample.seconds.toFixed(0),
    whole(perSecond(samples, at)),
    whole(sample.inFlight),
    whole(sample.lag),
    whole(sample.committed),
    `${whole(sample.mapUnits)}${sample.truncated ? " cut" : ""}`,
    whole(sample.held),
    whole(again(sample)),
    whole(sample.budget),
    (sample.memory.heap + sample.memory.external).toFixed(1),
    `${(sample.cpu * 100).toFixed(0)} %`,
    explained(sample),
  ];
  const body = samples.flatMap((sample, at) => (isRow(result, at) ? [cellsOf(sample, at)] : []));
  const names = [...heading, "live MiB", "cpu", "explain()"];
  const aligns = names.map((name) => (name === "explain()" ? "left" : "right"));
  return table([names, ...body], aligns);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function range(numbers: readonly number[], digits = 0): string {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return `${low.toFixed(digits)}–${high.toFixed(digits)}`;
}

/** What a run comes to, in numbers. */
function summary(cell: StuckCell, { samples, stuckAt, releasedAt, endedAt, reasons }: StuckResult) {
  const stuck = samples.filter(({ done, seconds }) => done > stuckAt && seconds < releasedAt);
  const xs = stuck.map(({ seconds }) => seconds);
  const live = stuck.map(({ memory }) => memory.heap + memory.external);
  const rss = stuck.map(({ memory }) => memory.rss);
  const asks = [...reasons.values()].reduce((a, b) => a + b, 0);
  const fullSpeed = stuck.filter(
    (one) => perSecond(samples, samples.indexOf(one)) > cell.rate * 0.9,
  );
  return {
    cell: cell.name,
    stuckSeconds: releasedAt - stuck[0]!.seconds,
    fullSpeedSeconds: fullSpeed.length === 0 ? 0 : fullSpeed.at(-1)!.seconds - stuck[0]!.seconds,
    donePerSecond: (stuck.at(-1)!.done - stuck[0]!.done) / (xs.at(-1)! - xs[0]!),
    maxInFlight: Math.max(...stuck.map(({ inFlight }) => inFlight)),
    maxLag: Math.max(...samples.map(({ lag }) => lag)),
    maxMapUnits: Math.max(...stuck.map(({ mapUnits }) => mapUnits)),
    maxHeld: Math.max(...stuck.map(({ held }) => held)),
    maxAgain: Math.max(...stuck.map(again)),
    cutAtSeconds: stuck.find(({ truncated }) => truncated)?.seconds ?? null,
    leastBudget: Math.min(...stuck.map(({ budget }) => budget)),
    explained: [...reasons].map(([reason, n]) => `${reason} ${Math.round((n / asks) * 100)} %`),
    liveMiB: range(live, 1),
    liveKiBPerSecond: Number((slope(xs, live) * 1024).toFixed(1)),
    rssMiB: range(rss),
    rssKiBPerSecond: Number((slope(xs, rss) * 1024).toFixed(1)),
    drainSeconds: endedAt - releasedAt,
    committed: cell.rate * cell.seconds,
  };
}

function print(cell: StuckCell, result: StuckResult): void {
  const told = summary(cell, result);
  if (values.json) {
    for (const sample of result.samples)
      console.log(JSON.stringify({ cell: cell.name, ...sample }));
    console.log(JSON.stringify(told));
    return;
  }
  const { samples, stuckAt } = result;
  console.log(`\n${cell.name}: ${whole(cell.rate)}/s, offset ${whole(stuckAt)} is stuck\n`);
  for (const line of rows(result)) console.log(line);
  draw(
    "done/s",
    samples.map((_, at) => perSecond(samples, at)),
  );
  draw(
    "in flight",
    samples.map(({ inFlight }) => inFlight),
  );
  draw(
    "budget",
    samples.map(({ budget }) => budget),
  );
  draw(
    "live KiB",
    samples.map(({ memory }) => (memory.heap + memory.external) * 1024),
  );
  console.log();
  for (const line of words(told)) console.log(line);
}

function draw(name: string, numbers: readonly number[]): void {
  const top = Math.round(Math.max(...numbers));
  console.log(`\n${name}`);
  for (const line of chart(numbers.map(Math.round), { ...CHART, top })) console.log(line);
}

function words(told: ReturnType<typeof summary>): string[] {
  const cut =
    told.cutAtSeconds === null ? "never cut" : `cut from ${told.cutAtSeconds.toFixed(0)} s on`;
  const stuckFor = `${told.stuckSeconds.toFixed(0)} s stuck`;
  const fullSpeed = `at full speed for ${told.fullSpeedSeconds.toFixed(0)} s`;
  const map = `up to ${told.maxMapUnits} units, ${whole(told.maxHeld)} offsets held, ${cut}`;
  const memory = `live ${told.liveMiB} MiB, ${told.liveKiBPerSecond} KiB/s`;
  return [
    `others     ${whole(told.donePerSecond)}/s, ${fullSpeed}; ${stuckFor}`,
    `in flight  up to ${whole(told.maxInFlight)}; least budget ${whole(told.leastBudget)}`,
    `map        ${map}`,
    `a crash    would repeat ${whole(told.maxAgain)} at most`,
    `lag        up to ${whole(told.maxLag)}`,
    `memory     ${memory}; rss ${told.rssMiB} MiB, ${told.rssKiBPerSecond} KiB/s`,
    `explain()  ${told.explained.join(", ")}`,
    `drained    in ${told.drainSeconds.toFixed(1)} s; committed ${whole(told.committed)} = log end`,
    "           none lost, none twice, 0 order breaks",
  ];
}

const chosen = cells.filter(({ name }) => values.only === undefined || values.only === name);
if (chosen.length === 0) {
  const names = cells.map(({ name }) => name).join(", ");
  throw new RangeError(`Cannot run as --only must be one of ${names}: received ${values.only}`);
}
await withBroker(async (bootstrap) => {
  for (const cell of chosen) print(cell, await runStuck(bootstrap, cell));
});
process.exit(0);
