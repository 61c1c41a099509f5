import type { CheckResult, OrderCheck } from "./order-check.ts";

/** One way of handling the orders, measured. */
export interface WayResult extends CheckResult {
  readonly way: "serial" | "consistent" | "balanced" | "hashInline" | "hashThreads" | "restarted";
  /** Orders that this way handled at least once. */
  readonly messages: number;
  /** Only a part was handled: `allMs` is an extrapolation. */
  readonly sample: boolean;
  readonly ms: number;
  /** Milliseconds that all orders take, or would take at this rate. */
  readonly allMs: number;
  /** Orders per second. */
  readonly rate: number;
}

/** Progress of a way, for the status line. */
export interface WayProgress {
  readonly done: number;
  readonly total: number;
  readonly elapsedMs: number;
  /** Handler calls running and how many could; absent for the serial loop. */
  readonly running?: number;
  readonly lanes?: number;
  readonly lag?: number | null;
}

/** The result of a way that handled all orders. */
export function measured(check: OrderCheck, ms: number): Omit<WayResult, "way"> {
  const rate = (check.done / ms) * 1000;
  return { messages: check.done, sample: false, ms, allMs: ms, rate, ...check.result() };
}
