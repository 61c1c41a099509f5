import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommandError } from "../command-error.ts";
import { ownProgram } from "../own-program.ts";
import { sleep } from "./consume-orders.ts";
import { JournalReader } from "./journal.ts";
import { OrderCheck } from "./order-check.ts";
import type { Orders } from "./orders.ts";
import { measured, type WayProgress, type WayResult } from "./way.ts";

const TICK_MS = 25;

/** A way whose consumer was killed, with where the second one went on. */
export interface RestartResult extends WayResult {
  /** Orders finished when the process died. */
  readonly doneAtKill: number;
  /** Offset that the killed consumer had seen stored. */
  readonly committedAtKill: number;
  /** Offset that the second consumer was given. */
  readonly resumedAt: number;
}

/** What the restart needs. */
export interface RestartJob {
  readonly orders: Orders;
  readonly lanes: number;
  /** The embedded log: nobody else has it open. */
  readonly logDirectory: string;
  /** Where journals may be written. */
  readonly workDirectory: string;
  readonly signal: AbortSignal;
  onProgress(progress: WayProgress): void;
  onKilled(progress: WayProgress, committedAtKill: number): void;
}

/**
 * Kills a consumer in the middle of its work and starts another.
 *
 * Both live in processes of their own and keep a journal; the first dies by SIGKILL, which no code of it can notice.
 */
export async function restartWay(job: RestartJob): Promise<RestartResult> {
  const check = new OrderCheck(job.orders);
  const startedAt = performance.now();
  const half = Math.max(1, Math.floor(job.orders.count / 2));
  const first = await follow(job, check, startedAt, 1, ["--kill-after", String(half)]);
  const doneAtKill = check.done;
  const elapsedMs = performance.now() - startedAt;
  job.onKilled({ done: doneAtKill, total: job.orders.count, elapsedMs }, first.committed);
  check.restarted();
  const second = await follow(job, check, startedAt, 2, []);
  const ms = performance.now() - startedAt;
  return {
    way: "restarted",
    ...measured(check, ms),
    doneAtKill,
    committedAtKill: first.committed,
    resumedAt: second.assigned,
  };
}

/** Runs one child to its end, feeding the check from its journal. */
async function follow(
  job: RestartJob,
  check: OrderCheck,
  startedAt: number,
  number: 1 | 2,
  extra: readonly string[],
): Promise<{ assigned: number; committed: number }> {
  const path = join(job.workDirectory, `journal-${number}`);
  writeFileSync(path, "");
  const seen = { assigned: -1, committed: -1, running: 0, lag: job.orders.count };
  const journal = new JournalReader(path);
  const listener = {
    started: (offset: number) => check.started(offset),
    finished: (offset: number, lane: number) => check.finished(offset, lane),
    assigned: (offset: number) => void Object.assign(seen, { assigned: offset }),
    committed: (offset: number) => void Object.assign(seen, { committed: offset }),
    progress: (running: number, lag: number) => void Object.assign(seen, { running, lag }),
  };
  const child = startChild(job, path, extra);
  try {
    while (!child.ended()) {
      await Promise.race([sleep(TICK_MS), child.exit]);
      job.signal.throwIfAborted();
      journal.read(listener);
      job.onProgress({
        done: check.done,
        total: job.orders.count,
        elapsedMs: performance.now() - startedAt,
        running: seen.running,
        lanes: job.lanes,
        lag: seen.lag,
      });
    }
    await checkExit(child, number === 1 ? "SIGKILL" : null);
    journal.read(listener);
  } finally {
    journal.close();
    child.kill();
    await child.exit;
  }
  return seen;
}

interface Child {
  readonly exit: Promise<{ code: number | null; signal: string | null }>;
  ended(): boolean;
  errorText(): string;
  kill(): void;
}

function startChild(job: RestartJob, journal: string, extra: readonly string[]): Child {
  const options = ["--log", job.logDirectory, "--journal", journal];
  const size = ["--messages", String(job.orders.count), "--lanes", String(job.lanes)];
  const [program, args] = ownProgram(["demo-child", ...options, ...size, ...extra]);
  const child: ChildProcess = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let ended = false;
  let errorText = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errorText = (errorText + text).slice(-2000);
  });
  const exit = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on("error", (error) => {
      errorText += error.message;
      ended = true;
      resolve({ code: null, signal: null });
    });
    child.on("close", (code, signal) => {
      ended = true;
      resolve({ code, signal });
    });
  });
  return {
    exit,
    ended: () => ended,
    errorText: () => errorText,
    kill: () => void (ended || child.kill("SIGKILL")),
  };
}

async function checkExit(child: Child, wanted: "SIGKILL" | null): Promise<void> {
  const { code, signal } = await child.exit;
  if (wanted === null ? code === 0 : signal === wanted) return;
  const rule = wanted === null ? "its consumer must end well" : "its consumer must die by SIGKILL";
  const end = child.errorText().trim() || (signal ?? `exit code ${code}`);
  throw new CommandError(`Cannot finish the demo as ${rule}: received ${end}`);
}
