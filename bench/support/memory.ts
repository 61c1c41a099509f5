/** What the process holds after a garbage collection: for benches that look for growth. Node only. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Mebibytes. */
export interface MemorySample {
  /** JavaScript objects that are alive. */
  readonly heap: number;
  /** Memory outside of the heap that objects hold, array buffers among it. */
  readonly external: number;
  /** What the operating system has given the process. */
  readonly rss: number;
}

/** Collects garbage, 10 to 50 ms, and answers what is left. */
export function sampleMemory(): MemorySample {
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed / 2 ** 20, external: external / 2 ** 20, rss: rss / 2 ** 20 };
}

/** Slope of the line that fits the points best (least squares), in y per x; 0 for fewer than two. */
export function slope(xs: readonly number[], ys: readonly number[]): number {
  const meanX = xs.reduce((a, b) => a + b, 0) / xs.length;
  const meanY = ys.reduce((a, b) => a + b, 0) / ys.length;
  let over = 0;
  let under = 0;
  for (const [i, x] of xs.entries()) {
    over += (x - meanX) * (ys[i]! - meanY);
    under += (x - meanX) ** 2;
  }
  return under === 0 ? 0 : over / under;
}
