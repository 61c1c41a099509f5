import { describe, expect, test } from "bun:test";
import { Mutex, Mutexes } from "../../src/process/mutexes.ts";

describe("Mutex", () => {
  test("C4: one at a time, in the order of the calls, whatever the others come to", async () => {
    const mutex = new Mutex();
    const trace: string[] = [];
    const job = (name: string, fails: boolean) => async (): Promise<string> => {
      trace.push(`${name} begins`);
      await Promise.resolve();
      await Promise.resolve();
      trace.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
    const jobs = [job("a", false), job("b", true), job("c", false)];
    const results = await Promise.allSettled(jobs.map((one) => mutex.run(one)));
    const began = ["a", "b", "c"].flatMap((name) => [`${name} begins`, `${name} ends`]);
    expect(trace).toEqual(began);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await mutex.run(() => 7)).toBe(7);
    const thrown = mutex.run(() => {
      throw new Error("at once");
    });
    await expect(thrown).rejects.toThrow("at once");
  });
});

describe("Mutexes", () => {
  const here = { topic: "t", partition: 1 };
  /** What begins while another one is inside. */
  async function whileInside(
    one: Mutexes,
    begin: (inside: (name: string) => () => void) => Promise<unknown>[],
  ): Promise<string[]> {
    const inside: string[] = [];
    const outside = Promise.withResolvers<void>();
    const first = one.run(here, () => outside.promise);
    const others = begin((name) => () => void inside.push(name));
    // Whoever is let in at once was let in before this.
    await new Mutexes("last").run(here, () => {});
    const seen = [...inside];
    outside.resolve();
    await Promise.all([first, ...others]);
    return seen;
  }

  test("C4: one for each topic partition of a group, whichever consumer asks", async () => {
    const mutexes = new Mutexes("g");
    const seen = await whileInside(mutexes, (inside) => [
      mutexes.run(here, inside("same")),
      new Mutexes("g").run({ ...here }, inside("other consumer")),
      mutexes.run({ topic: "t", partition: 2 }, inside("other partition")),
      mutexes.run({ topic: "u", partition: 1 }, inside("other topic")),
      new Mutexes("h").run(here, inside("other group")),
    ]);
    expect(seen).toEqual(["other partition", "other topic", "other group"]);
  });

  test("C4: it excludes again after nobody was inside", async () => {
    const mutexes = new Mutexes("again");
    for (let round = 0; round < 2; round++) {
      const begin = (inside: (name: string) => () => void) => [mutexes.run(here, inside("same"))];
      expect(await whileInside(mutexes, begin)).toEqual([]);
    }
  });
});
