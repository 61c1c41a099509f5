import { type Choice, type Code, type Histories, loadCode, type Scenario, World } from "./world.ts";

/** Longer than any way through a scenario: beyond it threads run without getting anywhere. */
const MAX_STEPS = 2000;

/** What came of a scenario. */
export interface Explored {
  readonly states: number;
  /** Among them, those in which nothing can happen any more. */
  readonly ends: number;
  /** The first thing that went wrong, with the choices that led there. */
  readonly problem?: { readonly text: string; readonly choices: readonly Choice[] };
}

interface Branch {
  readonly parent: Branch | null;
  readonly choice: number;
  readonly depth: number;
  /** Before the choice. */
  readonly histories: Histories;
}

/**
 * Takes every way through a scenario, each state once, until something goes wrong.
 *
 * Stepped code cannot be copied, so a way that branches off is walked again from the start.
 *
 * @param maxStates More is an error: the scenario is too large to be looked at whole.
 */
export function explore(
  scenario: Scenario,
  code: Code = loadCode(),
  maxStates = 100_000,
): Explored {
  const seen = new Set<string>();
  const open: (Branch | null)[] = [null];
  let branch: Branch | null = null;
  let ends = 0;
  try {
    while (open.length > 0) {
      branch = open.pop()!;
      const world = replay(scenario, code, branch);
      for (let { key } = world; !seen.has(key); { key } = world) {
        seen.add(key);
        const choices = world.choices();
        if (choices.length === 0) {
          ends++;
          world.check();
          break;
        }
        const depth: number = (branch?.depth ?? 0) + 1;
        if (depth > MAX_STEPS) throw new Error("threads run without getting anywhere");
        const { histories } = world;
        for (let choice = choices.length - 1; choice > 0; choice--) {
          open.push({ parent: branch, choice, depth, histories });
        }
        branch = { parent: branch, choice: 0, depth, histories };
        world.take(choices[0]!);
      }
      if (seen.size > maxStates) break;
    }
  } catch (error) {
    const problem = { text: (error as Error).message, choices: walk(scenario, code, branch) };
    return { states: seen.size, ends, problem };
  }
  if (seen.size <= maxStates) return { states: seen.size, ends };
  throw new RangeError(`Cannot look at all of "${scenario.name}": more than ${maxStates} states`);
}

function indexes(branch: Branch | null): number[] {
  const path: number[] = [];
  for (let at = branch; at !== null; at = at.parent) path.push(at.choice);
  return path.reverse();
}

function replay(scenario: Scenario, code: Code, branch: Branch | null): World {
  const world = new World(scenario, code);
  if (branch === null) return world;
  world.repeat(indexes(branch.parent), branch.histories);
  world.take(world.choices()[branch.choice]!);
  return world;
}

/** The choices of a way, the last one perhaps not taken whole. */
function walk(scenario: Scenario, code: Code, branch: Branch | null): Choice[] {
  const taken: Choice[] = [];
  try {
    const world = new World(scenario, code);
    for (const index of indexes(branch)) {
      taken.push(world.choices()[index]!);
      world.take(taken.at(-1)!);
    }
  } catch {
    // The error that is being explained.
  }
  return taken;
}
