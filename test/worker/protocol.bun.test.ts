import { describe, expect, test } from "bun:test";
import { explore } from "./model/explore.ts";
import { MUTANTS } from "./model/mutants.ts";
import { SCENARIOS } from "./model/scenarios.ts";
import { type Choice, loadCode } from "./model/world.ts";

/** More than the largest of them has. */
const MAX_STATES = 20_000;
/** The largest takes 4 s on a machine that does nothing else. */
const LIMIT_MS = 60_000;

function scenario(name: string) {
  const found = SCENARIOS[name];
  if (found === undefined) throw new Error(`Cannot explore what is no scenario: received ${name}`);
  return { name, ...found };
}

/** The way to a problem, steps of one thread in a row counted. */
function told(choices: readonly Choice[]): string {
  const parts: string[] = [];
  for (let at = 0; at < choices.length; ) {
    const choice = String(choices[at]);
    let end = at;
    while (String(choices[end]) === choice) end++;
    parts.push(`${end - at} × ${choice}`);
    at = end;
  }
  return parts.join(", ");
}

describe("the protocol of a channel, all interleavings of", () => {
  for (const name of Object.keys(SCENARIOS)) {
    test(
      name,
      () => {
        const { problem, states, ends } = explore(scenario(name), loadCode(), MAX_STATES);
        if (problem !== undefined)
          throw new Error(`${problem.text} after ${told(problem.choices)}`);
        // A scheduler that had no choice would have shown nothing.
        expect(states).toBeGreaterThan(300);
        expect(ends).toBeGreaterThan(0);
      },
      LIMIT_MS,
    );
  }
});

describe("the model notices when", () => {
  for (const mutant of MUTANTS) {
    test(mutant.name, () => {
      const { problem } = explore(scenario(mutant.scenario), loadCode([mutant]), MAX_STATES);
      expect(problem?.text).toMatch(mutant.shows);
    });
  }
});
