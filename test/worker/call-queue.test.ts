import { describe, expect, test } from "bun:test";
import { CallQueue } from "../../src/worker/thread/call-queue.ts";
import type { ThreadCall } from "../../src/worker/thread/thread-call.ts";
import type { ThreadLink } from "../../src/worker/thread/thread-link.ts";

/** What a queue told the polling thread, in order. */
function queueWith(link: { sleeps: boolean; look(queue: CallQueue): void }): {
  queue: CallQueue;
  told: string[];
} {
  const told: string[] = [];
  const fake = {
    get sleeps() {
      return link.sleeps;
    },
    flush: () => void told.push("flush"),
    done: (id: number) => void told.push(`done ${id}`),
    look: () => link.look(queue),
  };
  const queue = new CallQueue(fake as unknown as ThreadLink, new Int32Array(16));
  return { queue, told };
}

function callOf(id: number): ThreadCall {
  const handler = { form: "eachMessage", call: () => undefined };
  const call = { id, lease: { module: { handler } }, callMessages: { at: () => ({}) }, end() {} };
  return call as unknown as ThreadCall;
}

describe("CallQueue", () => {
  test("hands each result over at once while the polling thread is awake", () => {
    const { queue, told } = queueWith({ sleeps: false, look: () => {} });
    for (const id of [1, 2, 3, 4]) queue.add(callOf(id));
    expect(queue.run()).toBe(false);
    expect(told).toEqual([
      "done 1",
      "flush",
      "done 2",
      "flush",
      "done 3",
      "flush",
      "done 4",
      "flush",
    ]);
  });

  test("wakes it when half of the calls are left, and starts what has come by then", () => {
    let more = [5, 6];
    const look = (to: CallQueue): void => {
      for (const id of more) to.add(callOf(id));
      more = [];
    };
    const { queue, told } = queueWith({ sleeps: true, look });
    for (const id of [1, 2, 3, 4]) queue.add(callOf(id));
    expect(queue.run()).toBe(false);
    const done = told.filter((what) => what !== "flush");
    expect(done).toEqual(["done 1", "done 2", "done 3", "done 4", "done 5", "done 6"]);
    // At the latest; a slow machine may have come to the limit of time before.
    expect(told.indexOf("flush")).toBeLessThanOrEqual(2);
    expect(told.at(-1)).toBe("flush");
  });

  test("starts nothing once the thread is given up", () => {
    const words = new Int32Array(16);
    const { queue, told } = queueWith({ sleeps: true, look: () => {} });
    const stopped = new CallQueue({} as ThreadLink, words.fill(1));
    stopped.add(callOf(1));
    expect(stopped.run()).toBe(false);
    expect(queue.run()).toBe(false);
    expect(told).toEqual([]);
  });
});
