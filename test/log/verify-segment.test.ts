import { afterEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32c } from "../../src/log/crc32c.ts";
import { CHECKSUM_FROM } from "../../src/log/format.ts";
import { writeU32 } from "../../src/log/integers.ts";
import { checkSegment, type SegmentCheck } from "../../src/log/verify-segment.ts";
import { openPartition } from "./open-partition.ts";
import { numbered, random, removeTemporary, temporaryDirectory } from "./temporary.ts";

afterEach(removeTemporary);

const BATCHES = 6;
const RECORDS = 3;

interface Segment {
  readonly bytes: Buffer;
  /** Where each batch begins, and the end. */
  readonly starts: readonly number[];
}

/** A segment of six batches with three records each. */
function makeSegment(): Segment {
  const directory = temporaryDirectory();
  const partition = openPartition(directory);
  const starts = [0];
  for (let at = 0; at < BATCHES; at++) {
    partition.append(numbered(at * RECORDS, RECORDS));
    starts.push(starts.at(-1)! + partition.read(at * RECORDS, 1)[0]!.bytes.length);
  }
  partition.close();
  return { bytes: readFileSync(join(directory, "00000000000000000000.log")), starts };
}

/** Checks bytes as a segment; its good batches by first offset. */
function check(bytes: Uint8Array, maxEpoch = 5): SegmentCheck & { readonly good: number[] } {
  const path = join(temporaryDirectory(), "segment.log");
  writeFileSync(path, bytes);
  const fd = openSync(path, "r");
  const good: number[] = [];
  try {
    const onBatch = ({ header }: { header: { baseOffset: number } }): void => {
      good.push(header.baseOffset);
    };
    const steps = checkSegment({ fd, size: bytes.length, baseOffset: 0, maxEpoch, onBatch });
    let step = steps.next();
    while (!step.done) step = steps.next();
    return { ...step.value, good };
  } finally {
    closeSync(fd);
  }
}

/** The batch that begins at `at`, changed, with a checksum that fits. */
function resealed(bytes: Uint8Array, at: number, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  const total = copy.readUInt32LE(at + 12);
  change(copy.subarray(at, at + total));
  writeU32(copy, at + 8, crc32c(copy, at + CHECKSUM_FROM, at + total));
  return copy;
}

describe("checkSegment()", () => {
  test("counts what is good", () => {
    const { bytes } = makeSegment();
    expect(check(bytes)).toMatchObject({
      batches: BATCHES,
      records: BATCHES * RECORDS,
      nextOffset: BATCHES * RECORDS,
      flaws: [],
      good: [0, 3, 6, 9, 12, 15],
    });
    expect(check(new Uint8Array())).toMatchObject({ batches: 0, nextOffset: 0, flaws: [] });
  });

  test("finds every flipped bit, says which bytes and offsets, and goes on behind it", () => {
    const { bytes, starts } = makeSegment();
    const seed = 11;
    const next = random(seed);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Uint8Array.from(bytes);
      flipped[at] = flipped[at]! ^ (1 << (next() % 8));
      const batch = starts.findLastIndex((start) => start <= at);
      const { flaws, batches, good } = check(flipped);
      expect([seed, at, flaws.map(({ problem, ...flaw }) => flaw)]).toEqual([
        seed,
        at,
        [
          {
            position: starts[batch]!,
            bytes: starts[batch + 1]! - starts[batch]!,
            firstOffset: batch * RECORDS,
            endOffset: batch === BATCHES - 1 ? null : (batch + 1) * RECORDS,
          },
        ],
      ]);
      expect([batches, good.includes(batch * RECORDS)]).toEqual([BATCHES - 1, false]);
    }
  });

  test("finds several flaws, and takes neighbours as one", () => {
    const { bytes, starts } = makeSegment();
    const damaged = Uint8Array.from(bytes);
    for (const batch of [0, 2, 3, 5]) damaged[starts[batch]! + 70] = 0xff;
    const { flaws, good } = check(damaged);
    expect(good).toEqual([3, 12]);
    expect(flaws.map(({ firstOffset, endOffset }) => [firstOffset, endOffset])).toEqual([
      [0, 3],
      [6, 12],
      [15, null],
    ]);
    expect(flaws.map(({ problem }) => problem)).toEqual(Array(3).fill("a wrong checksum"));
  });

  test.each([1, 39, 64, 5000])("tells %d bytes of zeros behind the last batch", (length) => {
    const { bytes } = makeSegment();
    const { flaws, batches } = check(Buffer.concat([bytes, Buffer.alloc(length)]));
    expect(batches).toBe(BATCHES);
    expect(flaws).toMatchObject([{ position: bytes.length, bytes: length, endOffset: null }]);
  });

  test("tells a batch that is there twice, wherever it is", () => {
    const { bytes, starts } = makeSegment();
    const twice = bytes.subarray(starts[1]!, starts[2]!);
    const middle = check(
      Buffer.concat([bytes.subarray(0, starts[2]!), twice, bytes.subarray(starts[2]!)]),
    );
    expect(middle.good).toEqual([0, 3, 6, 9, 12, 15]);
    expect(middle.flaws).toEqual([
      {
        position: starts[2]!,
        bytes: twice.length,
        firstOffset: 6,
        endOffset: 6,
        problem: "base offset 3 for 6",
      },
    ]);
  });

  test("tells offsets that are missing between intact batches", () => {
    const { bytes, starts } = makeSegment();
    const cut = check(Buffer.concat([bytes.subarray(0, starts[2]!), bytes.subarray(starts[4]!)]));
    expect(cut.good).toEqual([0, 3, 12, 15]);
    expect(cut.flaws).toEqual([
      {
        position: starts[2]!,
        bytes: 0,
        firstOffset: 6,
        endOffset: 12,
        problem: "base offset 12 for 6",
      },
    ]);
  });

  test("tells frames that do not fill their batch, though the checksum holds", () => {
    const { bytes, starts } = makeSegment();
    const wrong = resealed(bytes, starts[3]!, (batch) => writeU32(batch, 64, 41));
    const { flaws, good } = check(wrong);
    expect(good).toEqual([0, 3, 6, 12, 15]);
    expect(flaws).toMatchObject([
      { position: starts[3]!, problem: "frames that do not fill the batch" },
    ]);
  });

  test("tells epochs that fall, and epochs of writers that never were", () => {
    const { bytes, starts } = makeSegment();
    const risen = resealed(bytes, starts[2]!, (batch) => writeU32(batch, 28, 4));
    expect(check(risen).flaws).toMatchObject([
      { position: starts[3]!, problem: "writer epoch 1 behind 4", endOffset: null },
    ]);
    expect(check(risen, 3).flaws).toMatchObject([
      { position: starts[2]!, problem: "writer epoch 4 for at most 3", endOffset: 9 },
    ]);
  });

  test("goes on behind damage that is longer than what is searched at a time", () => {
    const directory = temporaryDirectory();
    const partition = openPartition(directory);
    const value = new Uint8Array(3_000_000);
    partition.append(numbered(0, 1));
    partition.append(numbered(1, 1).map((one) => ({ ...one, value })));
    partition.append(numbered(2, 1));
    partition.close();
    const bytes = readFileSync(join(directory, "00000000000000000000.log"));
    bytes[1000] = 1;
    const { flaws, good } = check(bytes);
    expect(good).toEqual([0, 2]);
    expect(flaws).toMatchObject([{ firstOffset: 1, endOffset: 2, problem: "a wrong checksum" }]);
  });

  test("finds a good batch whose magic lies across the pieces of the search", () => {
    const { bytes, starts } = makeSegment();
    for (const shift of [0, 1, 2, 3, 4]) {
      const garbage = Buffer.alloc((1 << 20) - shift, 0x58);
      const rest = bytes.subarray(starts[1]!);
      const { flaws, good } = check(Buffer.concat([garbage, rest]));
      expect(flaws).toMatchObject([{ position: 0, bytes: garbage.length, endOffset: 3 }]);
      expect(good).toEqual([3, 6, 9, 12, 15]);
    }
  });
});
