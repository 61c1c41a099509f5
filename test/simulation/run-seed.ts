/** Runs seeds; one that fails is run again with a trace. */
import { act } from "./actions.ts";
import { World } from "./world.ts";

/** @throws {Error} With the trace and the command that replays it. */
export async function runSeed(seed: number, tracing: boolean): Promise<World> {
  const world = new World(seed, tracing);
  try {
    await world.run(act);
    return world;
  } catch (error) {
    if (!tracing) return runSeed(seed, true);
    const { message, stack } = error as Error;
    const replay = `HEADRACE_SIM_SEED=${seed} bun test ./test/simulation`;
    const unexpected = (error as Error).name === "Violation" ? "" : `\n${stack}`;
    throw new Error(`${world.trace.join("\n")}\n\n${message}\nReplay: ${replay}${unexpected}`);
  }
}
