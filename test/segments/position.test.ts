import { describe, expect, test } from "bun:test";
import { CompletedOffsets } from "../../src/metadata/completed-offsets.ts";
import {
  mergePositions,
  type Position,
  readPosition,
  writePosition,
} from "../../src/segments/position.ts";
import { random } from "../log/temporary.ts";
import { parallelConsumerSamples } from "../metadata/parallel-consumer-samples.ts";
import { doneOf } from "./places.ts";

const FORMAT = { form: "dense", maxLength: 4096 } as const;
const NO_ID: Uint8Array = new Uint8Array(0);

function positionOf(
  offset: number,
  done: readonly number[],
  topicId: Uint8Array = NO_ID,
): Position {
  const completed = new CompletedOffsets(Float64Array.from(done));
  const guard = { logEnd: 1000, topicId };
  return { offset, completed, userText: null, segmentation: null, guard };
}

describe("mergePositions()", () => {
  test("S5: keeps exactly what its owner has done, up to where the slowest segment has read", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const next = random(seed);
      const count = 2 + (next() % 4);
      const length = 1 + (next() % 120);
      const base = next() % 50;
      const owners = Array.from({ length }, () => next() % count);
      const isDone = Array.from({ length }, () => next() % 4 > 0);
      const read = Array.from({ length: count }, () => base + (next() % (length + 1)));
      // What segment i says is done: what it has read of the others, and what it has done.
      const says = (segment: number, offset: number): boolean =>
        offset < read[segment]! && (owners[offset - base] !== segment || isDone[offset - base]!);
      const positions = read.map((end, segment) => {
        let offset = base;
        while (offset < end && says(segment, offset)) offset++;
        const done: number[] = [];
        for (let at = offset; at < end; at++) {
          if (!says(segment, at)) continue;
          if (done.at(-1) === at) done[done.length - 1] = at + 1;
          else done.push(at, at + 1);
        }
        return positionOf(offset, done);
      });
      const merged = mergePositions(positions);
      const slowest = Math.min(...read);
      for (let at = base; at < base + length; at++) {
        const kept = at < merged.offset || merged.completed.has(at);
        const expected = at < slowest && isDone[at - base]!;
        if (kept !== expected) {
          throw new Error(`seed ${seed}: offset ${at} is ${kept}, expected ${expected}`);
        }
      }
      // And what is written says the same.
      const { text } = writePosition(merged, FORMAT);
      const again = readPosition({ offset: merged.offset, metadata: text }, 1000);
      expect(doneOf(again)).toEqual(doneOf(merged));
    }
  });

  test("maps of two topics of one name say nothing of each other", () => {
    const [one, other] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
    const done = [12, 20];
    const merged = (ids: readonly Uint8Array[]): number[] =>
      doneOf(mergePositions(ids.map((id) => positionOf(10, done, id))));
    expect(merged([one, one])).toEqual(done);
    expect(merged([one, NO_ID])).toEqual(done);
    expect(merged([one, other])).toEqual([]);
  });
});

describe("readPosition()", () => {
  test("keeps what the map was written for", () => {
    const topicId = new Uint8Array(16).fill(7);
    const { text } = writePosition(positionOf(10, [12, 20], topicId), FORMAT);
    const { guard, completed } = readPosition({ offset: 10, metadata: text }, 15);
    expect(guard).toEqual({ logEnd: 1000, topicId });
    expect(completed.count).toBe(8);
  });

  test("takes a map of Parallel Consumer, bounded by the log's end", () => {
    const sample = parallelConsumerSamples.find(({ form, committed }) => {
      return form === "n" && committed === 50;
    })!;
    const { metadata } = sample;
    const { completed, guard } = readPosition({ offset: 50, metadata }, 2000);
    expect([...completed.ranges()]).toEqual([
      { from: 51, to: 1050 },
      { from: 1051, to: 2000 },
    ]);
    expect(guard.logEnd).toBe(2000);
  });

  test("what is no map of anybody is no information", () => {
    const { completed, userText } = readPosition({ offset: 10, metadata: "hello" }, 15);
    expect([completed.count, userText]).toEqual([0, null]);
  });
});
