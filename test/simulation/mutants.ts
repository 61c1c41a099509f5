/**
 * Breaks one rule at a time in a copy of the sources and demands that the simulation notices, or a test that is named.
 *
 *   bun test/simulation/mutants.ts [NAME]    all of them, or those whose name contains NAME
 *
 * A line that a mutant wants to change and cannot find is an error: rewrite the mutant with the line.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { RECOVERY_MUTANTS } from "./recovery-mutants.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const SEEDS = "2000";
const RUN_MS = 60_000;
const COPIED = [
  "src",
  "test/simulation",
  "test/regression",
  "test/metadata",
  "test/schedule/lanes.ts",
  "test/consumer/rig.ts",
  "test/wasm/random.ts",
  "package.json",
];

/** One rule broken: a line of a source file, and what stands there instead. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** The test that notices it, where too few seeds do: run instead of the simulation. */
  readonly test?: string;
}

const MUTANTS: readonly Mutant[] = [
  {
    name: "O8: marks count after the lease has ended",
    file: "lease-calls.ts",
    from: "if (this.ended) return false;\n    if (text",
    to: "if (text",
  },
  {
    name: "R3: results count after the lease has ended",
    file: "lease-calls.ts",
    from: "if (this.ended) this.#host.dropped(1);\n    else this",
    to: "this",
  },
  {
    name: "O1: a call marks its messages when it starts",
    file: "process/inline-processor.ts",
    from: "    call.startedMs = this.#listener.sliceStartMs;",
    to: `    call.startedMs = this.#listener.sliceStartMs;
    lane.peek(call.length, (of, at) => this.#listener.markThrough(of, at, call));`,
  },
  {
    name: "O1: a failed call marks its messages",
    file: "process/call-ends.ts",
    from: "    // A throw after the lease began",
    to: `    lane.peek(call.length, (of, at) => this.#listener.markThrough(of, at, call));
    // A throw after the lease began`,
  },
  {
    name: "O3: the committable offset is one too high",
    file: "pipeline.ts",
    from: "return this.tracker.committable;",
    to: "return this.tracker.committable + (this.tracker.openCount > 0 ? 1 : 0);",
  },
  {
    name: "O4: a commit that was not stored is not repeated",
    file: "commit/committer.ts",
    from: "if (!partition.mayCommit || partition.pendingCommit() === null) this.#dirty",
    to: "this.#dirty",
  },
  {
    name: "O9: manual calls mark like automatic ones",
    file: "marking.ts",
    from: "this.#markAll(results, !manual);",
    to: "this.#markAll(results, true);",
  },
  {
    name: "O9: unacknowledged messages are not counted",
    file: "mark/handed-messages.ts",
    from: "this.size++;",
    to: "",
  },
  {
    name: "O10: handlers start before the start offset is stored",
    file: "pipeline.ts",
    from: "|| this.gated) return false;",
    to: ") return false;",
  },
  {
    name: "D4: a lane is ready while its call runs",
    file: "schedule/partition-lanes.ts",
    from: "} else if (lane.length >= this.#rules.maxMessages",
    to: "} else if (!lane.ready) {\n      this.#makeReady(lane, 0);\n    } else if (lane.length >= this.#rules.maxMessages",
  },
  {
    name: "D4: a lane hands over its batches last first",
    file: "lane.ts",
    from: "const next = this.#more.shift()!;",
    to: "const next = this.#more.pop()!;",
  },
  {
    name: "D2: keys in flight may move, being reported as finished when they come",
    file: "intake.ts",
    from: "    this.#watchKeys(batch);",
    to: "    for (const hash of batch.hashes) this.#distributor.finished(hash);",
  },
  {
    name: "P2: an ordered run does not wait for what is in flight",
    file: "intake.ts",
    from: "      batch.ordered = true;\n      if (this.#lanes.length > 0) return;",
    to: "      batch.ordered = true;",
  },
  {
    name: "D5: concurrency is not a limit",
    file: "schedule/scheduler.ts",
    from: "while (this.#running < this.concurrency && ",
    to: "while (",
  },
  {
    name: "D5: maxPartitions is not a limit",
    file: "schedule/partition-lanes.ts",
    from: "return this.#ready.size > 0 && this.running < this.#maxPartitions;",
    to: "return this.#ready.size > 0;",
  },
  {
    name: "E3: failed messages count as done",
    file: "process/call-ends.ts",
    from: "      lane.failures++;\n      this.#listener.failed(lane, call, error);",
    to: "      this.succeed(lane, call.length);",
  },
  {
    name: "E3: a retry hands over what was marked",
    file: "process/call-ends.ts",
    from: "if (this.#listener.isOpen(batch, index)) return false;",
    to: "if (batch.count > 0) return false;",
  },
  {
    name: "E5: a retry does not wait for its time",
    file: "recovery.ts",
    from: "this.#timers.set(delayMs, () => {",
    to: "this.#timers.set(0, () => {",
  },
  {
    name: "E8: a paused partition goes on",
    file: "pipeline.ts",
    from: "!pauses.paused && ",
    to: "",
  },
  {
    name: "E9: an abandoned call is a failure",
    file: "process/call-ends.ts",
    from: "const abandoned = this.#listener.draining || this.#listener.ended;",
    to: "const abandoned = this.#listener.ended;",
  },
  {
    name: "R2: calls start while the lease drains",
    file: "pipeline.ts",
    from: 'this.#state === "live" && !pauses',
    to: 'this.#state !== "ended" && !pauses',
  },
  {
    name: "R2: commits are sent while the lease is suspended",
    file: "pipeline.ts",
    from: 'return this.state === "live" || this.state === "draining";',
    to: 'return this.state !== "ended";',
  },
  {
    name: "R3: what was marked while suspended is not committed",
    file: "group-leases.ts",
    from: "      this.#committer.changed(position, true);\n    }",
    to: "    }",
  },
  {
    name: "R5: an ended lease still commits",
    file: "group-leases.ts",
    from: "    this.#committer.remove(position);",
    to: "    pipeline.state = 'live'; this.#committer.changed(position, true);",
  },
  {
    name: "R6: keys of calls that outlive their lease are not held",
    file: "schedule/held-keys.ts",
    from: "if (this.empty) return false;",
    to: "if (batch.count > 0) return false;",
  },
  {
    name: "R6: held keys are never released",
    file: "schedule/held-keys.ts",
    from: "if (left === 0) this.#counts.delete(hash);",
    to: "if (left < 0) this.#counts.delete(hash);",
  },
  {
    name: "F1: a partition above its share is not paused",
    file: "source/poll-credit.ts",
    from: "account.pause();",
    to: "",
  },
  {
    name: "F1: a paused partition is not resumed",
    file: "source/poll-credit.ts",
    from: "account.resume();",
    to: "",
  },
  {
    name: "F3: a call is held back for ever",
    file: "schedule/filling.ts",
    from: "this.#timers.set(Math.max(0, this.#maxWaitMs - elapsedMs), () => {",
    to: "this.#timers.set(3_600_000, () => {",
  },
];

/** A copy that runs: sources, the simulation, and what they need. */
function copyProject(): string {
  const directory = mkdtempSync(path.join(tmpdir(), "headrace-mutants-"));
  for (const name of COPIED) {
    cpSync(path.join(root, name), path.join(directory, name), { recursive: true });
  }
  symlinkSync(path.join(root, "node_modules"), path.join(directory, "node_modules"));
  return directory;
}

interface Run {
  readonly passed: boolean;
  /** What the simulation says has gone wrong. */
  readonly violation: string | null;
  readonly output: string;
}

function simulate(directory: string, test = "test/simulation"): Promise<Run> {
  const bun = path.join(root, "node_modules/.bin/bun");
  const { HEADRACE_SIM_SEED: _, ...environment } = process.env;
  const child = spawn(bun, ["test", `./${test}`], {
    cwd: directory,
    env: { ...environment, NO_COLOR: "1", HEADRACE_SIM_SEEDS: SEEDS },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      output += data;
    });
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      const failed = /\(fail\) (.+?) \[/.exec(output)?.[1];
      const inTest = test === "test/simulation" ? null : failed;
      const violation = /\n\n(.+)\nReplay: /.exec(output)?.[1] ?? inTest ?? null;
      resolve({ passed: code === 0, violation, output });
    });
  });
}

/** @returns false when the mutant survives. */
async function tryMutant(
  directory: string,
  { name, file, from, to, test }: Mutant,
): Promise<boolean> {
  const target = path.join(directory, "src", file);
  const original = readFileSync(target, "utf8");
  if (original.split(from).length !== 2) {
    throw new Error(`Cannot mutate ${file} as this must occur in it once: received ${from}`);
  }
  writeFileSync(
    target,
    original.replace(from, () => to),
  );
  const startedMs = performance.now();
  const { passed, violation, output } = await simulate(directory, test);
  writeFileSync(target, original);
  // Only a violation counts: a copy that does not even load proves nothing.
  const caught = !passed && violation !== null;
  const took = `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
  console.log(
    `${took.padStart(7)}  ${caught ? "caught  " : "SURVIVED"}  ${name}${caught ? `  (${violation})` : ""}`,
  );
  if (!passed && violation === null) console.log(output.slice(-2000));
  return caught;
}

async function main(wanted: string): Promise<void> {
  const directory = copyProject();
  try {
    const { passed, output } = await simulate(directory);
    if (!passed) throw new Error(`Cannot start as the simulation must pass unchanged:\n${output}`);
    const mutants = [...MUTANTS, ...RECOVERY_MUTANTS].filter(({ name }) => name.includes(wanted));
    let survivors = 0;
    for (const mutant of mutants) if (!(await tryMutant(directory, mutant))) survivors++;
    console.log(`${mutants.length - survivors} caught, ${survivors} survived`);
    if (survivors > 0) process.exitCode = 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

await main(process.argv[2] ?? "");
