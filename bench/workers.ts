/**
 * Handlers that compute (B8): worker threads against the handler in the polling thread, and against a plain loop.
 *
 *   node bench/workers.ts [--json] [--rounds N] [--messages N] [--only TEXT] [--young MIB]
 *
 * sha256  SHA-256, 500 times over 1 KB
 * json    JSON.parse of 18 KB
 *
 * Each on a real broker and on the embedded log. The plain loops do nothing but read and handle: kafkajs `eachBatch`
 * without commits, the log's read(). headrace commits. Each cell has a process of its own, in which all ways take turns;
 * a run that is incomplete, out of the order of a key, or whose answers are wrong throws. `--only` takes the cells whose
 * name contains the text.
 *
 * Two threads need two processors that nobody else uses. What two give on the machine, two plain loops at once show:
 * each handles all messages, and nothing is shared. The time begins when a quarter of the messages is done: new threads
 * have compiled their code by then, as the plain loop has. Processor time is that of this process, garbage collection
 * included, from the first message on: divided by the number of processors, it is the least time that a message takes.
 *
 * The young generation of the main thread's heap has grown to 16 MiB long before; that of a thread stays small, as what
 * handlers throw away does not make it grow. `--young MIB` gives threads that much from the start (Node).
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import v8 from "node:v8";
import { openLog } from "../src/adapters/log.ts";
import { sameRuntime } from "../src/cli/own-program.ts";
import {
  type CpuCell,
  type CpuResult,
  headrace,
  kafkaSource,
  logSource,
  type PlainCell,
  plainKafkajs,
  plainLog,
} from "./support/cpu-ways.ts";
import { type CpuWorkName, cpuWorks, plainMessage } from "./support/cpu-work.ts";
import { fillTopic, withBroker } from "./support/kafka.ts";
import { median, report, takeTurns } from "./support/rounds.ts";
import { TwoPlainLoops } from "./support/two-plain-loops.ts";

const KEYS = 200;
const TOPIC = "bench";
const APPENDED_TOGETHER = 50;
const COUNTS: Readonly<Record<CpuWorkName, number>> = { sha256: 3000, json: 60_000 };

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    messages: { type: "string" },
    only: { type: "string", default: "" },
    young: { type: "string" },
  },
});

// For threads that are started from now on.
if (values.young !== undefined) v8.setFlagsFromString(`--min-semi-space-size=${values.young}`);

/** A cell without its source, and what a plain run of its handler comes to. */
function cellOf(work: CpuWorkName): Omit<PlainCell, "topic"> {
  const count = values.messages === undefined ? COUNTS[work] : Number(values.messages);
  const { value, answer } = cpuWorks[work];
  const expected = Int32Array.from({ length: count }, (_, offset) =>
    answer(plainMessage(value(offset))),
  );
  return { work, count, keys: KEYS, expected };
}

/** Ways to run a cell, by name; the first one is the baseline. */
type Ways = Readonly<Record<string, () => Promise<CpuResult>>>;

async function compare(cell: CpuCell, name: string, plainWays: Ways): Promise<void> {
  const ways: Ways = {
    ...plainWays,
    "headrace inline": () => headrace(cell, 0),
    "headrace 1 worker": () => headrace(cell, 1),
    "headrace 2 workers": () => headrace(cell, 2),
  };
  const [plainName] = Object.keys(plainWays) as [string];
  const cpuSeconds = new Map<string, number[]>(Object.keys(ways).map((way) => [way, []]));
  const timed = Object.entries(ways).map(([way, run]) => [
    way,
    async (): Promise<number> => {
      const result = await run();
      cpuSeconds.get(way)!.push(result.cpuSeconds);
      return result.seconds;
    },
  ]);
  const rounds = await takeTurns(name, Number(values.rounds), Object.fromEntries(timed));
  report(name, cell.count, rounds, plainName, values.json);
  // The first run of each warms up.
  const cpuUs = [...cpuSeconds].map(
    ([way, all]) => [way, Math.round((median(all.slice(1)) * 1e6) / cell.count)] as const,
  );
  if (values.json) {
    console.log(JSON.stringify({ cell: name, cpuUs: Object.fromEntries(cpuUs) }));
  } else {
    const list = cpuUs.map(([way, us]) => `${way.replace("headrace ", "")} ${us}`).join(", ");
    console.log(`${name.padEnd(14)} processor time, µs a message: ${list}\n`);
  }
}

async function onBroker(work: CpuWorkName, bootstrap: string): Promise<void> {
  const facts = cellOf(work);
  const { value } = cpuWorks[work];
  const fill = { count: facts.count, keys: KEYS, bytes: value(0).length, value };
  const topic = await fillTopic(bootstrap, `workers-${work}`, fill);
  const cell = { ...facts, topic };
  const loops = new TwoPlainLoops({ cell, bootstrap });
  await compare({ ...cell, source: () => kafkaSource(bootstrap) }, `${work} broker`, {
    "kafkajs eachBatch": () => plainKafkajs(cell, bootstrap),
    "two such loops at once": () => loops.run(),
  });
  await loops.close();
}

async function onLog(work: CpuWorkName, directory: string): Promise<void> {
  const facts = cellOf(work);
  const { value } = cpuWorks[work];
  const opened = await openLog(directory, { topics: { [TOPIC]: { partitions: 1 } } });
  for (let next = 0; next < facts.count; ) {
    const size = Math.min(APPENDED_TOGETHER, facts.count - next);
    const records = Array.from({ length: size }, () => {
      const offset = next++;
      const key = Buffer.from(`k${offset % KEYS}`);
      return { key, value: value(offset), headers: [], timestamp: Date.now(), id: null };
    });
    await opened.append(TOPIC, 0, records);
  }
  await opened.close();
  const cell = { ...facts, topic: TOPIC };
  const loops = new TwoPlainLoops({ cell, directory });
  await compare({ ...cell, source: () => logSource(directory) }, `${work} log`, {
    "read() loop": () => plainLog(cell, directory),
    "two such loops at once": () => loops.run(),
  });
  await loops.close();
}

/** Cells by name: what they do, and where. */
const cells = new Map<string, { work: CpuWorkName; place: "log" | "broker" }>();
for (const place of ["log", "broker"] as const) {
  for (const work of Object.keys(cpuWorks) as CpuWorkName[]) {
    cells.set(`${work} ${place}`, { work, place });
  }
}

async function runCell({ work, place }: { work: CpuWorkName; place: string }): Promise<void> {
  if (place === "broker") {
    await withBroker((bootstrap) => onBroker(work, bootstrap));
    return;
  }
  const parent = await mkdtemp(path.join(tmpdir(), "headrace-bench-"));
  try {
    await onLog(work, path.join(parent, work));
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

/** In a process of its own: a heap remembers what was done before, and slows the plain loop down. */
function runApart(name: string): void {
  // Of an option that comes twice the last one counts.
  const [program, args] = sameRuntime([...process.argv.slice(1), "--only", name]);
  const { status } = spawnSync(program, args, { stdio: "inherit" });
  if (status !== 0) throw new Error(`Cannot go on as each cell must come to its end: ${name}`);
}

const names = [...cells.keys()].filter((name) => name.includes(values.only));
if (names.length === 0) {
  const all = [...cells.keys()].join(", ");
  throw new Error(`Cannot run as --only must be in a name of ${all}: received ${values.only}`);
}
if (names.length === 1) await runCell(cells.get(names[0]!)!);
else for (const name of names) runApart(name);
process.exit(0);
