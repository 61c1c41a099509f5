/**
 * The whole consumer over the memory source and a fake clock: random deliveries, ends of calls, failures,
 * collapses, dead letters, rebalances, crashes, commit failures and damaged metadata; the invariants of the architecture
 * document after every step.
 *
 *   HEADRACE_SIM_SEED=n    only this seed, with its trace
 *   HEADRACE_SIM_SEEDS=n   this many seeds; HEADRACE_SIM_FIRST the first of them (default 1)
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { runSeed } from "./run-seed.ts";

const SIMULATION_MS = 120_000;
const oneSeed = process.env.HEADRACE_SIM_SEED;
// The other runtimes run the same code: fewer seeds show what is theirs, and a turn of their event loop costs more.
const byRuntime = "Bun" in globalThis ? 10_000 : 200;
const usual = process.env.HEADRACE_TEST_QUICK === "1" ? 200 : byRuntime;
const seeds = Number(process.env.HEADRACE_SIM_SEEDS ?? usual);
const first = Number(process.env.HEADRACE_SIM_FIRST ?? 1);

/**
 * Every lease makes a kernel, which costs Bun 0.6 ms and up, most of a seed's time. All batches here are so small that
 * the twin does the work anyway; without an instance it also keeps the keys in its own memory.
 */
const { Instance } = WebAssembly;
class NoRoom {
  constructor() {
    throw new RangeError("No room for a kernel in this test");
  }
}
beforeAll(() => {
  Object.assign(WebAssembly, { Instance: NoRoom });
});
afterAll(() => {
  Object.assign(WebAssembly, { Instance });
});

if (oneSeed !== undefined) {
  test(`seed ${oneSeed} keeps the invariants`, async () => {
    const world = await runSeed(Number(oneSeed), true);
    console.log(world.trace.join("\n"));
  });
} else {
  test(
    `${seeds} seeds keep the invariants`,
    async () => {
      let calls = 0;
      for (let seed = first; seed < first + seeds; seed++) {
        calls += (await runSeed(seed, false)).checker.calls;
      }
      // A simulation in which nothing happens would keep every invariant.
      expect(calls).toBeGreaterThan(seeds * 10);
    },
    SIMULATION_MS,
  );

  test("a seed replays to the same trace", async () => {
    const once = await runSeed(first, true);
    const twice = await runSeed(first, true);
    expect(twice.trace).toEqual(once.trace);
  });
}
