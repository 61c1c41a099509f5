/**
 * The embedded log against async-append-only-log and against bare writes and reads of the same
 * bytes.
 *
 *   node bench/log.ts [--json] [--rounds N] [--only append|read] [--bytes N,…] [--batch N,…]
 *                     [--scale N]
 *
 * append  values of 100 B and 1,000 B; 1, 100 and 1,000 records an append; appends of 1,000 records
 *         are on their way at once. One subject for each acknowledgement level; by default the log
 *         also syncs behind their back, and when it seals a segment. `bare fs.write` and `bare
 *         writeSync` write what the log stores, checksums and all, with one call per append, in
 *         another thread or in this one, and sync nothing: their neighbour is `never synced`.
 * read    newly opened, from the page cache, checksums verified: `records` makes a view of each key
 *         and value, `batches` hands on batches as they are stored.
 *
 * All run in this process, in turns. What was appended is read back and compared after each run,
 * outside of its time. async-append-only-log has no keys and no checksums: each of its records is
 * value and key in one buffer. It answers at once and writes later (`answered`); `drained` is when
 * all is written, which it syncs block by block, so its neighbour is `synced`.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { table } from "../src/cli/table.ts";
import {
  appendHeadrace,
  appendOffsetLog,
  bareWrite,
  clear,
  type Promises,
  Records,
  readBare,
  readBatchesOnly,
  readHeadrace,
  readOffsetLog,
  type Work,
  writeBare,
} from "./support/log-subjects.ts";
import { median, type Rounds, takeTurns } from "./support/rounds.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "" },
    bytes: { type: "string", default: "100,1000" },
    batch: { type: "string", default: "1,100,1000" },
    scale: { type: "string", default: "1" },
  },
});
const rounds = Number(values.rounds);
const numbers = (list: string): number[] => list.split(",").map(Number);

/** So many that a run takes some tenths of a second. */
function workOf(bytes: number, batch: number): Work {
  const most = bytes <= 100 ? 400_000 : 100_000;
  const count = Math.round((batch === 1 ? most / 4 : most) * Number(values.scale));
  return { bytes, batch, count: Math.max(1, Math.round(count / 1000)) * 1000 };
}

/** Runs with a directory of its own. */
async function within<R>(run: (directory: string) => Promise<R>): Promise<R> {
  const directory = await mkdtemp(path.join(tmpdir(), "headrace-bench-log-"));
  try {
    return await run(directory);
  } finally {
    await clear(directory);
  }
}

function show(cell: string, work: Work, results: Rounds, baseline: string): void {
  const base = results[baseline]!;
  const rows = Object.entries(results).map(([subject, seconds]) => {
    const perSecond = Math.round(work.count / median(seconds));
    const ratio = median(seconds.map((one, round) => base[round]! / one));
    if (values.json) {
      const { bytes, batch } = work;
      const figures = { cell, bytes, batch, subject, perSecond, baseline };
      console.log(JSON.stringify({ ...figures, ratio: Number(ratio.toFixed(3)), rounds }));
    }
    const mib = (perSecond * work.bytes) / 2 ** 20;
    return [
      subject,
      perSecond.toLocaleString("en"),
      Math.round(mib).toLocaleString("en"),
      ratio.toFixed(2),
    ];
  });
  if (values.json) return;
  console.log(`\n${cell}: values of ${work.bytes} B, ${work.batch} records an append`);
  const heading = ["", "messages/s", "MiB/s of values", `× ${baseline}`];
  const lines = table([heading, ...rows], ["left", "right", "right", "right"]);
  for (const line of lines) console.log(line);
}

async function append(work: Work): Promise<void> {
  const records = new Records(work);
  const headrace = (promises: Promises) => () =>
    within((directory) => appendHeadrace(directory, records, promises));
  const results = await takeTurns(`append ${work.bytes} B by ${work.batch}`, rounds, {
    "bare fs.write": () => within((directory) => writeBare(directory, records, bareWrite)),
    "bare writeSync": () => within((directory) => writeBare(directory, records)),
    "headrace buffered": headrace({ acknowledge: "buffered" }),
    "headrace written": headrace({ acknowledge: "written" }),
    "headrace written, never synced": headrace({ acknowledge: "written", sync: "never" }),
    "headrace synced": headrace({ acknowledge: "synced" }),
    "async-append-only-log answered": () =>
      within((directory) => appendOffsetLog(directory, records, false)),
    "async-append-only-log drained": () =>
      within((directory) => appendOffsetLog(directory, records, true)),
  });
  show("append", work, results, "bare fs.write");
}

async function read(work: Work): Promise<void> {
  const records = new Records(work);
  await within(async (directory) => {
    await appendHeadrace(directory, records, { acknowledge: "written" });
    await appendOffsetLog(directory, records, true);
    await writeBare(directory, records);
    const results = await takeTurns(`read ${work.bytes} B by ${work.batch}`, rounds, {
      "bare readSync": () => readBare(directory),
      "headrace batches": () => readBatchesOnly(directory, records),
      "headrace records": () => readHeadrace(directory, records),
      "async-append-only-log": () => readOffsetLog(directory, records),
    });
    show("read", work, results, "bare readSync");
  });
}

for (const [name, run] of Object.entries({ append, read })) {
  if (values.only !== "" && values.only !== name) continue;
  for (const bytes of numbers(values.bytes)) {
    for (const batch of numbers(values.batch)) await run(workOf(bytes, batch));
  }
}
process.exit(0);
