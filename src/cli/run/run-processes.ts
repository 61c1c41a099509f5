import { EXIT_FAILED } from "../command-error.ts";
import { plural } from "../format.ts";
import { type Io, signalExitCode } from "../io.ts";
import { Processes, type ProcessesOptions } from "./processes.ts";
import { RateMeter } from "./rate-meter.ts";
import { type RunResult, runGreeting } from "./run-report.ts";
import { StatusScreen } from "./run-screen.ts";
import { spentSince } from "./run-view.ts";
import type { TopicEnd } from "./topic-end.ts";

const TICK_MS = 250;

/** What several processes did; `--json` prints it. */
export interface ProcessesResult extends RunResult {
  readonly processes: number;
  /** Processes that died and were started again. */
  readonly restarts: number;
}

/** How `headrace run --processes` was called. */
export interface RunProcessesOptions extends ProcessesOptions {
  readonly end: TopicEnd;
  readonly fromBeginning: boolean;
  readonly json: boolean;
}

/**
 * Runs the members of a group in processes of their own, with one status line for all.
 *
 * @returns The exit code: 0 when all have drained, and stored what they did.
 * @throws {CommandError} When the first process cannot start, or one ends with an error that would come again.
 */
export async function runProcesses(options: RunProcessesOptions, io: Io): Promise<number> {
  const { end, count } = options;
  const screen = new StatusScreen(io);
  const startedAt = performance.now();
  for (const line of runGreeting(end, options.fromBeginning)) screen.print(line);
  const processes = new Processes(options, {
    line: (text) => screen.print(text),
    async output(line) {
      if (io.err.isTerminal) screen.clear();
      io.out.write(line);
      await io.out.drained();
    },
  });
  const rates = new RateMeter();
  const timer = setInterval(() => {
    const { figures, alive } = processes;
    screen.show(figures, rates.measure(figures.processed), `  processes ${alive}/${count}`);
  }, TICK_MS);
  let stopping = false;
  const unlisten = io.onSignal((signal) => {
    if (stopping) {
      screen.clear();
      processes.kill();
      io.exit(signalExitCode(signal));
      return;
    }
    stopping = true;
    screen.draining(plural(processes.alive, "process", "processes"));
    processes.stop(signal);
  });
  try {
    await processes.run();
    const result = resultOf(processes, options, startedAt);
    screen.stop();
    screen.finished(result);
    if (options.json) io.out.write(`${JSON.stringify(result)}\n`);
    const isLost = processes.lost || result.abandoned > 0 || result.uncommitted.length > 0;
    return isLost ? EXIT_FAILED : 0;
  } finally {
    clearInterval(timer);
    unlisten();
    screen.stop();
  }
}

function resultOf(
  processes: Processes,
  { end, count }: RunProcessesOptions,
  startedAt: number,
): ProcessesResult {
  const { results, restarts } = processes;
  const { processed, failed } = processes.counts;
  const sum = (of: "drained" | "abandoned"): number =>
    results.reduce((total, one) => total + one[of], 0);
  return {
    topic: end.topic,
    groupId: end.groupId,
    ...{ processed, failed, ...spentSince(startedAt, processed) },
    drained: sum("drained"),
    abandoned: sum("abandoned"),
    uncommitted: results.flatMap(({ uncommitted }) => uncommitted),
    processes: count,
    restarts,
  };
}
