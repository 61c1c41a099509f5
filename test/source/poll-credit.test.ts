import { describe, expect, test } from "bun:test";
import { type CreditAccount, PollCredit } from "../../src/source/poll-credit.ts";
import { type FakeClock, fakeClock } from "../../src/testing/fake-clock.ts";
import { randomOf, SEEDS } from "../wasm/random.ts";

interface Partition {
  readonly account: CreditAccount;
  readonly trace: string[];
}

function setUp(messages: number, bytes = 1e9) {
  const clock: FakeClock = fakeClock();
  const credit = new PollCredit(clock, messages, bytes);
  const open = (): Partition => {
    const trace: string[] = [];
    const account = credit.open(
      () => trace.push("pause"),
      () => trace.push("resume"),
    );
    return { account, trace };
  };
  return { clock, credit, open };
}

/** Whether a promise has settled, seen from outside. */
function watch(promise: Promise<void> | undefined): { settled: boolean } {
  const state = { settled: false };
  void promise?.then(() => {
    state.settled = true;
  });
  return state;
}

describe("PollCredit", () => {
  test("F1: within its budget a delivery is not held", () => {
    const { credit, open } = setUp(100);
    const one = open();
    expect(credit.charge(one.account, 100, 10)).toBeUndefined();
    expect(one.trace).toEqual([]);
  });

  test("F1: above it a delivery is held for 50 ms, then the partition is paused, then resumed below half", async () => {
    const { clock, credit, open } = setUp(100);
    const { account, trace } = open();
    const held = watch(credit.charge(account, 101, 10));
    await clock.advance(49);
    expect([held.settled, trace]).toEqual([false, []]);
    await clock.advance(1);
    expect([held.settled, trace]).toEqual([true, ["pause"]]);
    // What was on its way still comes.
    expect(credit.charge(account, 10, 1)).toBeUndefined();
    credit.refund(account, 60, 6);
    expect(trace).toEqual(["pause"]);
    credit.refund(account, 1, 1);
    expect(trace).toEqual(["pause", "resume"]);
    expect(clock.pendingTimers()).toBe(0);
  });

  test("F1: a hold ends early when enough has been done, and nothing is paused", async () => {
    const { clock, credit, open } = setUp(100);
    const { account, trace } = open();
    const held = watch(credit.charge(account, 150, 10));
    await clock.advance(10);
    credit.refund(account, 50, 5);
    await clock.advance(0);
    expect(held.settled).toBe(true);
    expect(clock.pendingTimers()).toBe(0);
    await clock.advance(100);
    expect(trace).toEqual([]);
  });

  test("F1: two deliveries while it is held: both holds end within 50 ms", async () => {
    const { clock, credit, open } = setUp(100);
    const { account, trace } = open();
    const first = credit.charge(account, 150, 10);
    const held = watch(first);
    await clock.advance(20);
    const second = credit.charge(account, 10, 1);
    const heldToo = watch(second);
    await clock.advance(50);
    expect(held.settled).toBe(true);
    expect(second === undefined || heldToo.settled).toBe(true);
    expect(trace).toEqual(["pause"]);
    expect(clock.pendingTimers()).toBe(0);
  });

  test("F1: with plenty to do the source rests until less is left", async () => {
    const { clock, credit, open } = setUp(100);
    const { account, trace } = open();
    credit.charge(account, 30, 1);
    expect(credit.restWith(account, 31)).toBeUndefined();
    const rest = credit.restWith(account, 21);
    expect(credit.restWith(account, 21)).toBe(rest);
    const over = watch(rest);
    await clock.advance(10);
    credit.refund(account, 9, 1);
    await clock.advance(0);
    expect(over.settled).toBe(false);
    credit.refund(account, 1, 1);
    await clock.advance(0);
    expect(over.settled).toBe(true);
    expect(credit.restWith(account, 21)).toBeUndefined();
    await clock.advance(100);
    expect([trace, clock.pendingTimers()]).toEqual([[], 0]);
  });

  test("F1: a rest lasts 50 ms at most, and ends with the lease", async () => {
    const { clock, credit, open } = setUp(100);
    const { account, trace } = open();
    credit.charge(account, 30, 1);
    const over = watch(credit.restWith(account, 20));
    await clock.advance(49);
    expect(over.settled).toBe(false);
    await clock.advance(1);
    expect([over.settled, trace]).toEqual([true, []]);
    const last = watch(credit.restWith(account, 20));
    credit.close(account);
    await clock.advance(0);
    expect([last.settled, clock.pendingTimers()]).toEqual([true, 0]);
    expect(credit.restWith(account, 20)).toBeUndefined();
  });

  test("F1: each partition owns budget ÷ 2n, the other half is first come, first served", () => {
    const { credit, open } = setUp(400);
    const greedy = open();
    const others = [open(), open(), open()];
    // Owned: 50 each; common: 200.
    expect(credit.charge(greedy.account, 250, 1)).toBeUndefined();
    expect(credit.charge(greedy.account, 1, 1)).toBeDefined();
    for (const { account } of others) {
      expect(credit.charge(account, 49, 1)).toBeUndefined();
      expect(credit.isOver(account, 1)).toBe(false);
    }
    for (const { account } of others) {
      credit.charge(account, 2, 1);
      expect(credit.isOver(account, 1)).toBe(true);
    }
  });

  test("F1: bytes are a budget of their own", () => {
    const { credit, open } = setUp(1e6, 1000);
    const { account } = open();
    expect(credit.charge(account, 1, 1000)).toBeUndefined();
    expect(credit.charge(account, 1, 1)).toBeDefined();
  });

  test("close() ends a hold at once, frees the share for others and leaves no timer", async () => {
    const { clock, credit, open } = setUp(100);
    const leaving = open();
    const staying = open();
    const held = watch(credit.charge(leaving.account, 500, 1));
    const starved = watch(credit.charge(staying.account, 60, 1));
    await clock.advance(0);
    expect([held.settled, starved.settled]).toEqual([false, false]);
    credit.close(leaving.account);
    await clock.advance(0);
    expect([held.settled, starved.settled]).toEqual([true, true]);
    await clock.advance(100);
    expect([leaving.trace, staying.trace]).toEqual([[], []]);
    expect(clock.pendingTimers()).toBe(0);
  });

  for (const seed of SEEDS) {
    test(`F1: holds end, pauses are balanced, and nothing starves (seed ${seed})`, async () => {
      const random = randomOf(seed);
      const { clock, credit, open } = setUp(1000, 100_000);
      const partitions = Array.from({ length: 5 }, () => ({ ...open(), held: [0], sent: 0 }));
      const holds: { settled: boolean; atMs: number }[] = [];
      for (let step = 0; step < 1500; step++) {
        const one = partitions[Math.floor(random() * partitions.length)]!;
        if (random() < 0.5 && !one.account.paused) {
          const count = 1 + Math.floor(random() * 200);
          const before = one.account.messages;
          const promise = credit.charge(one.account, count, count * Math.floor(random() * 200));
          if (promise) {
            const state = { settled: false, atMs: clock.now() };
            void promise.then(() => {
              state.settled = true;
            });
            holds.push(state);
          }
          // A partition within its own share is never held.
          if (before + count <= 100 && one.account.bytes <= 10_000) {
            expect(promise).toBeUndefined();
          }
        } else if (one.account.messages > 0) {
          const part = random() < 0.2 ? 1 : random();
          const messages = Math.ceil(one.account.messages * part);
          const bytes = messages === one.account.messages ? one.account.bytes : 0;
          credit.refund(one.account, messages, bytes);
          if (one.account.messages === 0) expect(one.account.paused).toBe(false);
        }
        if (random() < 0.3) await clock.advance(random() * 40);
        for (const hold of holds) {
          if (clock.now() - hold.atMs > 51 && !hold.settled) throw new Error("A hold did not end");
        }
      }
      await clock.advance(100);
      for (const { account, trace } of partitions) {
        credit.refund(account, account.messages, account.bytes);
        expect(account.paused).toBe(false);
        for (const [i, name] of trace.entries()) expect(name).toBe(i % 2 ? "resume" : "pause");
        expect(trace.length % 2).toBe(0);
      }
      expect(holds.every((hold) => hold.settled)).toBe(true);
      expect(clock.pendingTimers()).toBe(0);
    });
  }
});
