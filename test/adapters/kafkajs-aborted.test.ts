import { describe, expect, test } from "bun:test";
import { hideAborted } from "../../src/adapters/kafkajs/aborted.ts";
import type { FetchedMessage, FetchedPartition } from "../../src/adapters/kafkajs/client.ts";

const ABORT = new Uint8Array([0, 0, 0, 0]);
const COMMIT = new Uint8Array([0, 0, 0, 1]);

function partition(
  script: string,
  abortedTransactions: { producerId: string; firstOffset: string }[],
): FetchedPartition {
  // "a1" data of producer 1, "A1" its abort marker, "C1" its commit marker, "p" data outside
  // transactions.
  const messages = script.split(" ").map((word, offset): FetchedMessage => {
    const isControlRecord = word[0] === "A" || word[0] === "C";
    const key = word[0] === "C" ? COMMIT : ABORT;
    const batchContext = { producerId: word.slice(1) || "-1", inTransaction: word !== "p" };
    return { offset: String(offset), key, value: null, isControlRecord, batchContext };
  });
  return { messages, abortedTransactions };
}

function visible(of: FetchedPartition): number[] {
  hideAborted({ responses: [{ topicName: "t", partitions: [of] }] });
  expect(of.abortedTransactions).toEqual([]);
  return of.messages.flatMap((one) => (one.isControlRecord ? [] : [Number(one.offset)]));
}

const aborted = (...pairs: [number, number][]) =>
  pairs.map(([producer, first]) => ({ producerId: `${producer}`, firstOffset: `${first}` }));

describe("hideAborted()", () => {
  test("hides aborted records, also when their key looks like a marker", () => {
    expect(visible(partition("a1 a1 A1 c1 C1 a1 A1", aborted([1, 0], [1, 5])))).toEqual([3]);
  });

  test("keeps other producers and records outside of transactions", () => {
    expect(visible(partition("a1 a2 p A1 a2 C2 a1 C1", aborted([1, 0])))).toEqual([1, 2, 4, 6]);
  });

  test("takes transactions that start at once, in any order of the list", () => {
    expect(visible(partition("p a2 a1 A2 A1 p", aborted([2, 1], [1, 1])))).toEqual([0, 5]);
  });

  test("hides up to the end of a response that ends before the marker", () => {
    expect(visible(partition("p a1 a1", aborted([1, 1])))).toEqual([0]);
  });
});
