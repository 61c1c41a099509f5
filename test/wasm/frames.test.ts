import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import type { SinkRecord } from "../../src/source/source.ts";
import type { Frames } from "../../src/wasm/frames.ts";
import { murmur3, NULL_KEY_HASH } from "../../src/wasm/hash.ts";
import { readFrames } from "../../src/wasm/raw-kernel.ts";
import { encodeBatch } from "../log/encode-batch.ts";
import { SEEDS, withSeed } from "./random.ts";

/** Where the first frame of a batch begins. */
const FROM = 64;
const SEED = 77;
const place = { baseOffset: 0, writerEpoch: 1, topicEpoch: 1, appendTimeUs: 0 };

function randomBytes(random: () => number, most: number): Uint8Array {
  return Uint8Array.from({ length: Math.floor(random() * most) }, () => random() * 256);
}

function randomRecord(random: () => number): SinkRecord {
  const headers = Array.from({ length: random() < 0.3 ? Math.floor(random() * 4) : 0 }, () => {
    return [`h${Math.floor(random() * 1000)}`, randomBytes(random, 9)] as const;
  });
  return {
    key: random() < 0.1 ? null : randomBytes(random, random() < 0.05 ? 400 : 20),
    value: random() < 0.1 ? null : randomBytes(random, random() < 0.05 ? 3000 : 60),
    headers,
    timestamp: 1_700_000_000_000,
    id: null,
  };
}

function randomBatch(
  random: () => number,
  count: number,
): { records: SinkRecord[]; bytes: Buffer } {
  const records = Array.from({ length: count }, () => randomRecord(random));
  return { records, bytes: encodeBatch(records, place).bytes };
}

/** Where frames lie and what their keys hash to, by what was written. */
function wanted(
  records: readonly SinkRecord[],
  from = FROM,
): { positions: number[]; keyHashes: number[] } {
  let at = from;
  const positions = records.map(({ key, value, headers }) => {
    const position = at;
    at += 40 + (key?.length ?? 0) + (value?.length ?? 0);
    for (const [name, bytes] of headers) at += 6 + name.length + bytes.length;
    return position;
  });
  const keyHashes = records.map(({ key }) => (key === null ? NULL_KEY_HASH : murmur3(key, SEED)));
  return { positions, keyHashes };
}

function plain(frames: Frames | number): unknown {
  if (typeof frames === "number") return frames;
  return { positions: [...frames.positions], keyHashes: [...frames.keyHashes] };
}

/** What each engine makes of the bytes. */
function read(bytes: Uint8Array, count: number): unknown[] {
  return (["wasm", "twin", "auto"] as const).map((engine) =>
    plain(readFrames(bytes, count, SEED, engine)),
  );
}

/** All engines give the same; returns it. */
function readAlike(bytes: Uint8Array, count: number): unknown {
  const [wasm, twin, auto] = read(bytes, count);
  expect(wasm).toEqual(twin);
  expect(auto).toEqual(twin);
  return twin;
}

describe("readFrames()", () => {
  test.each([...SEEDS])("finds frames and hashes keys, in every engine: seed %d", (seed) => {
    withSeed(seed, (random) => {
      for (const count of [1, 2, 15, 16, 17, 100, 700]) {
        const { records, bytes } = randomBatch(random, count);
        expect(readAlike(bytes, count)).toEqual(wanted(records));
      }
    });
  });

  test("reads batches that grow the kernel's memory, and keeps what it gave before", () => {
    withSeed(5, (random) => {
      const small = randomBatch(random, 20);
      const frames = readFrames(small.bytes, 20, SEED, "wasm");
      const large = randomBatch(random, 9000);
      expect(readAlike(large.bytes, 9000)).toEqual(wanted(large.records));
      expect(plain(frames)).toEqual(wanted(small.records));
    });
  });

  test.each([...SEEDS])("reads a run of batches as one: seed %d", (seed) => {
    withSeed(seed, (random) => {
      const batches = [1, 1, 30, 2, 700, 1].map((count) => randomBatch(random, count));
      const all = { positions: [] as number[], keyHashes: [] as number[] };
      let at = 0;
      for (const { records, bytes } of batches) {
        const { positions, keyHashes } = wanted(records, at + FROM);
        all.positions.push(...positions);
        all.keyHashes.push(...keyHashes);
        at += bytes.length;
      }
      const bytes = Buffer.concat(batches.map((batch) => batch.bytes));
      expect(readAlike(bytes, 735)).toEqual(all);
      expect(readAlike(bytes, 736)).toBe(735);
      expect(readAlike(bytes, 734)).toBe(734);
      // Length and frame count of the third batch: too low, its frames end in the last one; too
      // high, behind it.
      const third = batches[0]!.bytes.length + batches[1]!.bytes.length;
      for (const field of [12, 24]) {
        for (const [change, found] of [
          [-1, 2 + 29],
          [1, 2 + 30],
        ] as const) {
          const damaged = Buffer.from(bytes);
          damaged.writeUInt32LE(damaged.readUInt32LE(third + field) + change, third + field);
          expect(readAlike(damaged, 735)).toBe(found);
        }
      }
    });
  });

  test("the batch may be a part of a larger buffer", () => {
    withSeed(6, (random) => {
      const { records, bytes } = randomBatch(random, 30);
      const around = Buffer.concat([Buffer.alloc(7, 1), bytes, Buffer.alloc(7, 1)]);
      expect(readAlike(around.subarray(7, -7), 30)).toEqual(wanted(records));
    });
  });

  test("names the first bad frame, for every field at its limits", () => {
    withSeed(7, (random) => {
      const { records, bytes } = randomBatch(random, 40);
      const { positions } = wanted(records);
      for (const frame of [0, 20, 39]) {
        const at = positions[frame]!;
        for (const [field, size] of FIELDS) {
          const right =
            size === 2 ? bytes.readUInt16LE(at + field) : bytes.readUInt32LE(at + field);
          const most = 2 ** (8 * size) - 1;
          for (const wrong of [0, 1, 39, 40, right - 1, right + 1, most - 1, most]) {
            if (wrong === right || wrong < 0) continue;
            const damaged = Buffer.from(bytes);
            if (size === 2) damaged.writeUInt16LE(wrong, at + field);
            else damaged.writeUInt32LE(wrong, at + field);
            const found = readAlike(damaged, 40);
            // A wrong length may still lead to bytes that look like the next frame; a key length
            // to another key. A wrong number never passes.
            if (field === 4) expect(found).toBe(frame);
            if (field === 0 && wrong === most) expect(found).toBe(frame);
            if (field === 36 && wrong === most) expect(found).toBe(frame);
          }
        }
      }
    });
  });

  test("refuses the batch cut at any byte, and any byte too many", () => {
    withSeed(8, (random) => {
      const { records, bytes } = randomBatch(random, 18);
      const { positions } = wanted(records);
      for (let end = FROM; end < bytes.length; end++) {
        expect(readAlike(bytes.subarray(0, end), 18)).toBe(0);
        const shorter = Buffer.from(bytes.subarray(0, end));
        shorter.writeUInt32LE(end, 12);
        const bad = positions.findIndex((_, at) => (positions[at + 1] ?? bytes.length) > end);
        expect(readAlike(shorter, 18)).toBe(bad);
      }
      expect(readAlike(Buffer.concat([bytes, Buffer.alloc(1)]), 18)).toBe(18);
      expect(readAlike(bytes.subarray(0, FROM - 1), 18)).toBe(0);
      expect(readAlike(bytes.subarray(0, 0), 18)).toBe(0);
    });
  });

  test("refuses a record count that is too high or too low", () => {
    withSeed(9, (random) => {
      const { bytes } = randomBatch(random, 30);
      expect(readAlike(bytes, 31)).toBe(30);
      // The header says 30: the batch as a whole does not fit.
      expect(readAlike(bytes, 29)).toBe(0);
      for (const [count, found] of [
        [0, 0],
        [29, 29],
        [31, 30],
        [32, 0],
        [2 ** 32 - 1, 0],
      ] as const) {
        const damaged = Buffer.from(bytes);
        damaged.writeUInt32LE(count, 24);
        expect(readAlike(damaged, 31)).toBe(found);
      }
    });
  });

  test("refuses headers whose lengths do not fill them", () => {
    const headers = [
      ["name", Uint8Array.of(1, 2, 3)],
      ["b", new Uint8Array(0)],
    ] as const;
    const record = { key: null, value: null, headers, timestamp: 0, id: null };
    const { bytes } = encodeBatch(Array(20).fill(record), place);
    expect(typeof readAlike(bytes, 20)).not.toBe("number");
    // Name and value lengths of both headers, in frame 0.
    for (const at of [0, 6, 13, 16]) {
      for (const wrong of [1, 0x7f, 0xff]) {
        const damaged = Buffer.from(bytes);
        const field = FROM + 40 + at;
        damaged[field] = damaged[field]! ^ wrong;
        expect(readAlike(damaged, 20)).toBe(0);
      }
      const damaged = Buffer.from(bytes);
      damaged.fill(0xff, FROM + 40 + at, FROM + 40 + at + 2);
      expect(readAlike(damaged, 20)).toBe(0);
    }
  });

  test.each([...SEEDS])("every engine says the same of damaged bytes: seed %d", (seed) => {
    withSeed(seed, (random) => {
      const { bytes } = randomBatch(random, 25);
      for (let round = 0; round < 400; round++) {
        const damaged = Buffer.from(bytes);
        for (let changes = 1 + random() * 3; changes > 0; changes--) {
          damaged[FROM + Math.floor(random() * (bytes.length - FROM))] = random() * 256;
        }
        readAlike(damaged, 25);
      }
    });
  });
});

/** Where lengths and the number stand in a frame, and their bytes. */
const FIELDS = [
  [0, 4],
  [4, 4],
  [32, 2],
  [36, 4],
] as const;
