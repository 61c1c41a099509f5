import { describe, expect, test } from "bun:test";
import { type Runnable, Scheduler } from "../../src/schedule/scheduler.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";

/** A partition with `left` calls to start, each of which stays running. */
class Fake implements Runnable {
  readonly name: string;
  readonly trace: string[];
  left: number;
  running = 0;
  flushed = 0;
  constructor(name: string, left: number, trace: string[]) {
    this.name = name;
    this.left = left;
    this.trace = trace;
  }
  get canRun(): boolean {
    return this.left > 0;
  }
  run(): boolean {
    this.left--;
    this.running++;
    this.trace.push(this.name);
    return true;
  }
  flush(): void {
    this.flushed++;
  }
}

function setUp(concurrency: number, counts: readonly number[]) {
  const errors: unknown[] = [];
  const trace: string[] = [];
  const scheduler = new Scheduler(fakeClock(), concurrency, (error) => errors.push(error));
  const partitions = counts.map((count, i) => new Fake("abcdef"[i]!, count, trace));
  for (const partition of partitions) scheduler.add(partition);
  return { scheduler, partitions, trace, errors };
}

describe("Scheduler", () => {
  test("D7: slots go round, those with nothing running first", () => {
    const { scheduler, trace, partitions } = setUp(7, [9, 9, 9]);
    scheduler.turn();
    expect(trace.join("")).toBe("abcabca");
    expect(scheduler.running).toBe(7);
    partitions[1]!.running = 0;
    scheduler.release();
    scheduler.release();
    scheduler.turn();
    expect(trace.slice(7)[0]).toBe("b");
    expect(scheduler.running).toBe(7);
  });

  test("D5: concurrency bounds what runs, and may change", () => {
    const { scheduler, trace } = setUp(2, [9]);
    scheduler.turn();
    expect(trace).toHaveLength(2);
    scheduler.concurrency = 4;
    scheduler.turn();
    expect(trace).toHaveLength(4);
    scheduler.concurrency = 1;
    scheduler.release();
    scheduler.release();
    scheduler.turn();
    expect(trace).toHaveLength(4);
    scheduler.release();
    scheduler.release();
    scheduler.turn();
    expect(trace).toHaveLength(5);
  });

  test("a partition that was removed is not asked again; every turn flushes the others", () => {
    const { scheduler, partitions, trace } = setUp(1, [0, 3]);
    scheduler.remove(partitions[1]!);
    scheduler.remove(partitions[1]!);
    scheduler.turn();
    expect(trace).toEqual([]);
    expect(partitions.map((one) => one.flushed)).toEqual([1, 0]);
  });

  test("a turn inside a turn does nothing, and an error reaches onError, not the caller", () => {
    const { scheduler, partitions, errors } = setUp(5, [1, 1]);
    partitions[0]!.run = () => {
      scheduler.turn();
      throw new Error("ours");
    };
    scheduler.turn();
    expect(errors).toEqual([new Error("ours")]);
    expect(partitions[1]!.running).toBe(0);
  });
});
