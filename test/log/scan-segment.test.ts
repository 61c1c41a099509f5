import { afterEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { readFully } from "../../src/log/files.ts";
import { endOfLaterBatches, scanSegment } from "../../src/log/scan-segment.ts";
import { encodeBatch } from "./encode-batch.ts";
import { numbered, removeTemporary, temporaryDirectory } from "./temporary.ts";

const open: number[] = [];

afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
  removeTemporary();
});

/** A segment of three batches of two records from offset 10 on. */
function segment() {
  const starts = [0];
  const fd = openSync(join(temporaryDirectory(), "log"), "wx+");
  open.push(fd);
  for (let baseOffset = 10; baseOffset < 16; baseOffset += 2) {
    const place = { baseOffset, writerEpoch: 3, topicEpoch: 1, appendTimeUs: baseOffset };
    const { bytes } = encodeBatch(numbered(baseOffset, 2), place);
    writeSync(fd, bytes, 0, bytes.length, starts.at(-1)!);
    starts.push(starts.at(-1)! + bytes.length);
  }
  const plan = { fd, size: starts.at(-1)!, baseOffset: 10, verifyFrom: 0, maxEpoch: 3 };
  return { fd, starts, plan };
}

function flip(fd: number, bytes: Uint8Array, position: number, bit: number): void {
  writeSync(fd, Uint8Array.of(bytes[position]! ^ (1 << bit)), 0, 1, position);
}

describe("scanSegment()", () => {
  test("gives end, next offset and times of a good segment", () => {
    const { plan, starts } = segment();
    expect(scanSegment(plan)).toMatchObject({
      position: starts[3],
      nextOffset: 16,
      lastAppendTimeUs: 14,
      maxEventTimeUs: 1_700_000_000_123_000,
      problem: undefined,
    });
  });

  test("stops before the last batch when any bit of it is flipped", () => {
    const { fd, plan, starts } = segment();
    const bytes = Buffer.alloc(plan.size);
    readFully(fd, bytes, 0);
    for (let bit = starts[2]! * 8; bit < plan.size * 8; bit++) {
      flip(fd, bytes, bit >> 3, bit & 7);
      const { position, nextOffset, problem } = scanSegment(plan);
      expect([bit, position, nextOffset, problem !== undefined]).toEqual([
        bit,
        starts[2]!,
        14,
        true,
      ]);
      writeSync(fd, bytes, bit >> 3, 1, bit >> 3);
    }
    expect(scanSegment(plan).problem).toBeUndefined();
  });

  test("refuses an epoch above the newest writer's, and an unexpected base offset", () => {
    const { plan } = segment();
    expect(scanSegment({ ...plan, maxEpoch: 2 }).problem).toBe("writer epoch 3");
    expect(scanSegment({ ...plan, baseOffset: 9 }).problem).toBe("base offset 10 for 9");
  });
});

describe("endOfLaterBatches()", () => {
  test("finds the good batches behind a bad one, and none behind the last", () => {
    const { plan, starts } = segment();
    expect(endOfLaterBatches(plan, 0, 10)).toBe(16);
    expect(endOfLaterBatches({ ...plan, size: starts[2]! }, 0, 10)).toBe(14);
    expect(endOfLaterBatches(plan, starts[1]!, 12)).toBe(16);
    expect(endOfLaterBatches(plan, starts[2]!, 14)).toBeUndefined();
  });

  test("does not count batches whose offset is not possible there", () => {
    const { plan } = segment();
    expect(endOfLaterBatches(plan, 0, 14)).toBe(16);
    expect(endOfLaterBatches(plan, 0, 15)).toBeUndefined();
    expect(endOfLaterBatches({ ...plan, maxEpoch: 2 }, 0, 10)).toBeUndefined();
  });
});
