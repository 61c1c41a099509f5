import type { HashResult, ParallelResult } from "./parallel-ways.ts";
import type { RestartResult } from "./restart-way.ts";
import type { WayResult } from "./way.ts";

/** What the demo measured; `--json` prints it. */
export interface DemoResult {
  readonly messages: number;
  readonly keys: number;
  /** Orders of the customer with most of them. */
  readonly busiestKey: number;
  /** Virtual partitions, and handler calls at once. */
  readonly lanes: number;
  readonly writeMs: number;
  readonly serial: WayResult;
  readonly consistent: ParallelResult;
  readonly balanced: ParallelResult;
  /** Handlers that compute: in the polling thread, and in worker threads. */
  readonly hashInline: HashResult;
  readonly hashThreads: HashResult;
  readonly restarted: RestartResult;
  readonly speedUp: {
    /** Rate ÷ rate of the serial loop. */
    readonly consistent: number;
    readonly balanced: number;
    /** Rate ÷ rate of the same handler in the polling thread. */
    readonly hashThreads: number;
  };
  /** What must hold and does not: empty when all is well. */
  readonly failures: readonly string[];
  readonly ok: boolean;
}

type Measured = Omit<DemoResult, "speedUp" | "failures" | "ok">;

/** Adds the verdict to the measurements. */
export function judge(measured: Measured): DemoResult {
  const failures = findFailures(measured);
  const { serial, consistent, balanced, hashInline, hashThreads } = measured;
  return {
    ...measured,
    speedUp: {
      consistent: consistent.rate / serial.rate,
      balanced: balanced.rate / serial.rate,
      hashThreads: hashThreads.rate / hashInline.rate,
    },
    failures,
    ok: failures.length === 0,
  };
}

/** Every rule of the demo that was broken. */
function findFailures(measured: Measured): string[] {
  const { serial, consistent, balanced, hashInline, hashThreads, restarted } = measured;
  const failures: string[] = [];
  const must = (holds: boolean, rule: string, received: number): void => {
    if (!holds) failures.push(`${rule}: received ${received}`);
  };
  for (const result of [serial, consistent, balanced, hashInline, hashThreads, restarted]) {
    must(result.missing === 0, `${result.way}: no order may be missing`, result.missing);
    must(result.orderBreaks === 0, `${result.way}: no order may break`, result.orderBreaks);
  }
  for (const result of [consistent, balanced, hashInline, hashThreads]) {
    must(
      result.handledTwice === 0,
      `${result.way}: none may be handled twice`,
      result.handledTwice,
    );
  }
  const difference = hashThreads.answer - hashInline.answer;
  must(difference === 0, "hashThreads: hashes must be those of the polling thread", difference);
  // A kill brings back what was done since the last commit, and nothing else.
  const { resumedAt, committedAtKill, doneAtKill, handledTwice } = restarted;
  const doneAbove = doneAtKill - resumedAt;
  must(committedAtKill > 0, "restarted: an offset must be stored before the kill", committedAtKill);
  must(resumedAt >= committedAtKill, "restarted: it must go on where it was", resumedAt);
  must(handledTwice <= doneAbove, `restarted: ${doneAbove} may be handled again`, handledTwice);
  return failures;
}
