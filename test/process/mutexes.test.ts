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
  test("C4: one for each topic partition", () => {
    const mutexes = new Mutexes();
    const one = mutexes.of({ topic: "t", partition: 1 });
    expect(mutexes.of({ topic: "t", partition: 1 })).toBe(one);
    expect(mutexes.of({ topic: "t", partition: 2 })).not.toBe(one);
    expect(mutexes.of({ topic: "u", partition: 1 })).not.toBe(one);
  });
});
