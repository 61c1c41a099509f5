import { describe, expect, test } from "bun:test";
import { Kernel, TWIN_BELOW } from "../../src/wasm/kernel.ts";
import { binOf, byBin, groupsOf, TableOracle } from "./oracle.ts";
import { SEEDS, withSeed } from "./random.ts";

const ENGINES = ["wasm", "twin", "auto"] as const;
const NONE = new Uint32Array(0);
const SIZES = [0, 1, 2, 3, TWIN_BELOW - 1, TWIN_BELOW, TWIN_BELOW + 1, 255, 256, 257, 3000];
const BINS = [1, 2, 3, 16, 1000, 65536];

function fill(kernel: Kernel, hashes: readonly number[]): void {
  kernel.hashColumn(hashes.length).set(hashes);
}

function hashesOf(random: () => number, messageCount: number, keyCount: number): number[] {
  const keys = Array.from({ length: keyCount }, () => Math.floor(random() * 2 ** 32));
  // Squared: some keys are hot.
  return Array.from({ length: messageCount }, () => keys[Math.floor(random() ** 2 * keyCount)]!);
}

describe("placement without memory", () => {
  test.each([...SEEDS])(
    "D1: reduce() is multiply-shift, stable, at every size: seed %d",
    (seed) => {
      withSeed(seed, (random) => {
        const kernels = ENGINES.map((engine) => new Kernel(engine));
        for (const size of SIZES) {
          for (const bins of BINS) {
            const hashes = hashesOf(random, size, 1 + Math.floor(random() * size));
            const wanted = byBin(
              hashes.map((hash) => binOf(hash, bins)),
              bins,
            );
            for (const kernel of kernels) {
              fill(kernel, hashes);
              expect(groupsOf(kernel.reduce(size, bins))).toEqual(wanted);
            }
          }
        }
      });
    },
  );

  test("D1: reduce() keeps the extreme hashes inside the bins", () => {
    for (const engine of ENGINES) {
      const kernel = new Kernel(engine);
      fill(kernel, [0, 0xffffffff, 0x7fffffff, 0x80000000]);
      const groups = groupsOf(kernel.reduce(4, 65536));
      expect(groups.lanes).toEqual([0, 32767, 32768, 65535]);
    }
  });

  test.each([...SEEDS])(
    "place() is a stable counting sort of the caller's bins: seed %d",
    (seed) => {
      withSeed(seed, (random) => {
        const kernels = ENGINES.map((engine) => new Kernel(engine));
        for (const size of SIZES) {
          for (const binCount of BINS) {
            const bins = Array.from({ length: size }, () => Math.floor(random() * binCount));
            const wanted = byBin(bins, binCount);
            for (const kernel of kernels) {
              kernel.binColumn(size).set(bins);
              expect(groupsOf(kernel.place(size, binCount))).toEqual(wanted);
            }
          }
        }
      });
    },
  );

  test("place() refuses a bin that is not below the number of bins", () => {
    for (const engine of ENGINES) {
      for (const size of [2, 100]) {
        const kernel = new Kernel(engine);
        kernel.binColumn(size).fill(0).set([4], 1);
        expect(() => kernel.place(size, 4)).toThrow("a bin below the number of bins");
        expect(kernel.place(size, 5).groupCount).toBe(2);
      }
    }
  });

  test("a placement of no bins, too many bins or too many messages is a CapacityError", () => {
    const kernel = new Kernel();
    expect(() => kernel.reduce(1, 0)).toThrow("there are 1 to 65536 bins: received 0");
    expect(() => kernel.reduce(1, 65537)).toThrow("received 65537");
    expect(() => kernel.hashColumn(2 ** 22 + 1)).toThrow("received 4194305");
  });
});

/**
 * Drives kernels and oracle through the same batches, some messages finishing out of order in
 * between.
 */
class Sequence {
  readonly oracle: TableOracle = new TableOracle();
  inFlight: number[] = [];
  finished: number[] = [];
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Some of what is in flight finishes, in any order. */
  finishSome(share: number): Uint32Array {
    const stay: number[] = [];
    const done: number[] = [];
    for (const hash of this.inFlight) (this.#random() < share ? done : stay).push(hash);
    for (let i = done.length - 1; i > 0; i--) {
      const j = Math.floor(this.#random() * (i + 1));
      [done[i], done[j]] = [done[j]!, done[i]!];
    }
    this.inFlight = stay;
    this.oracle.finish(done);
    return Uint32Array.from(done);
  }

  nextSize(): number {
    const most = [1, 4, TWIN_BELOW, 2 * TWIN_BELOW, 700, 2000];
    return Math.floor(this.#random() * (most[Math.floor(this.#random() * most.length)]! + 1));
  }
}

describe("placement that keeps keys in flight", () => {
  test.each([...SEEDS])("D3: group() equals the oracle over many batches: seed %d", (seed) => {
    withSeed(seed, (random) => {
      const kernels = ENGINES.map((engine) => new Kernel(engine));
      const run = new Sequence(random);
      for (let batch = 0; batch < 60; batch++) {
        const finished = run.finishSome(random() < 0.1 ? 1 : random());
        const size = run.nextSize();
        const hashes = hashesOf(random, size, 1 + Math.floor(random() * size * 1.5));
        // Keys of earlier batches come again.
        for (let i = 0; i < size; i += 3) {
          hashes[i] = run.inFlight[Math.floor(random() * run.inFlight.length)] ?? hashes[i]!;
        }
        const wanted = run.oracle.group(hashes);
        for (const kernel of kernels) {
          fill(kernel, hashes);
          expect(groupsOf(kernel.group(size, finished, finished.length))).toEqual(wanted);
          expect(kernel.keysInFlight).toBe(run.oracle.keys.size);
        }
        const lanes = [...run.oracle.keys.values()].map((key) => key.lane);
        expect(new Set(lanes).size).toBe(lanes.length);
        run.inFlight.push(...hashes);
      }
    });
  });

  test.each([...SEEDS])("D2: pack() equals the oracle over many batches: seed %d", (seed) => {
    withSeed(seed, (random) => {
      for (const binCount of [1, 2, 7, 16, 128]) {
        const kernels = ENGINES.map((engine) => new Kernel(engine));
        const run = new Sequence(random);
        for (let batch = 0; batch < 25; batch++) {
          const finished = run.finishSome(random() < 0.1 ? 1 : random());
          const size = run.nextSize();
          const hashes = hashesOf(random, size, 1 + Math.floor(random() * size * 1.5));
          for (let i = 0; i < size; i += 3) {
            hashes[i] = run.inFlight[Math.floor(random() * run.inFlight.length)] ?? hashes[i]!;
          }
          const loads = Array.from({ length: binCount }, () => Math.floor(random() * 50));
          if (random() < 0.5) loads[Math.floor(random() * binCount)]! += 0x40000000;
          const wanted = run.oracle.pack(hashes, loads);
          const given = Uint32Array.from(loads);
          for (const kernel of kernels) {
            fill(kernel, hashes);
            const placed = kernel.pack(size, binCount, given, finished, finished.length);
            expect(groupsOf(placed)).toEqual(wanted);
            expect(kernel.keysInFlight).toBe(run.oracle.keys.size);
          }
          expect(Array.from(given)).toEqual(loads);
          run.inFlight.push(...hashes);
        }
      }
    });
  });

  test("a batch of 100,000 messages equals the oracle in every placement", () => {
    withSeed(7, (random) => {
      const size = 100_000;
      const hashes = hashesOf(random, size, 80_000);
      const bins = hashes.map((hash) => binOf(hash, 500));
      const loads = Array.from({ length: 100 }, (_, bin) => bin * 3);
      const all = Uint32Array.from(hashes);
      for (const engine of ENGINES) {
        const kernel = new Kernel(engine);
        fill(kernel, hashes);
        expect(groupsOf(kernel.reduce(size, 500))).toEqual(byBin(bins, 500));
        const wantedGroups = new TableOracle().group(hashes);
        expect(groupsOf(kernel.group(size, NONE, 0))).toEqual(wantedGroups);
        expect(kernel.group(0, all, size).groupCount).toBe(0);
        expect(kernel.keysInFlight).toBe(0);
        const wanted = new TableOracle().pack(hashes, loads);
        const placed = kernel.pack(size, 100, Uint32Array.from(loads), NONE, 0);
        expect(groupsOf(placed)).toEqual(wanted);
      }
    });
  });

  test("D4: one key, and messages without a key, make one group each", () => {
    for (const engine of ENGINES) {
      for (const size of [1, 5, 50, 1000]) {
        const kernel = new Kernel(engine);
        kernel.hashColumn(size).fill(0xffffffff);
        const all = Array.from({ length: size }, (_, i) => i);
        expect(groupsOf(kernel.group(size, NONE, 0))).toEqual({ lanes: [0], members: [all] });
        const finished = new Uint32Array(size).fill(0xffffffff);
        kernel.hashColumn(size).fill(0);
        const packed = new Kernel(engine);
        packed.hashColumn(size).fill(0);
        expect(groupsOf(kernel.group(size, finished, size))).toEqual({
          lanes: [0],
          members: [all],
        });
        expect(groupsOf(packed.pack(size, 4, Uint32Array.of(3, 2, 1, 1), NONE, 0))).toEqual({
          lanes: [2],
          members: [all],
        });
      }
    }
  });

  test("D2: a bin whose load is raised takes no new key while another has room", () => {
    for (const engine of ENGINES) {
      const kernel = new Kernel(engine);
      const hashes = Array.from({ length: 300 }, (_, i) => i * 7919);
      fill(kernel, hashes);
      const loads = Uint32Array.of(0x40000000, 1000, 0x40000001);
      expect(groupsOf(kernel.pack(300, 3, loads, NONE, 0)).lanes).toEqual([1]);
    }
  });

  test("hashes that agree in their low bits, as murmur2 in one partition does, stay apart", () => {
    for (const engine of ENGINES) {
      const kernel = new Kernel(engine);
      const oracle = new TableOracle();
      const hashes = Array.from({ length: 5000 }, (_, i) => (i << 16) >>> 0);
      fill(kernel, hashes);
      expect(groupsOf(kernel.group(5000, NONE, 0))).toEqual(oracle.group(hashes));
      expect(kernel.keysInFlight).toBe(5000);
    }
  });

  test("memory does not grow with the number of keys ever seen", () => {
    for (const engine of ENGINES) {
      const kernel = new Kernel(engine);
      let finished = NONE;
      let size = 0;
      for (let batch = 0; batch < 300; batch++) {
        const hashes = Uint32Array.from({ length: 100 }, (_, i) => batch * 1000 + i);
        kernel.hashColumn(100).set(hashes);
        const { lanes, groupCount } = kernel.group(100, finished, finished.length);
        expect(Math.max(...lanes.subarray(0, groupCount))).toBeLessThan(100);
        finished = hashes;
        if (batch === 2) size = kernel.byteLength;
      }
      expect(kernel.byteLength).toBe(size);
    }
  });

  test("growth keeps keys in flight, free lanes and the filled columns", () => {
    for (const engine of ENGINES) {
      const kernel = new Kernel(engine);
      const oracle = new TableOracle();
      const first = Array.from({ length: 200 }, (_, i) => i + 1);
      fill(kernel, first);
      expect(groupsOf(kernel.group(200, NONE, 0))).toEqual(oracle.group(first));
      const done = first.slice(50, 90);
      oracle.finish(done);
      // 200 + 250 keys do not fit into the first table: it grows after the hash column was filled.
      const second = Array.from({ length: 250 }, (_, i) => i + 150);
      fill(kernel, second);
      const placed = kernel.group(250, Uint32Array.from(done), done.length);
      expect(groupsOf(placed)).toEqual(oracle.group(second));
      // Lanes given back before a growth are used after it.
      const ended = first.slice(0, 50);
      oracle.finish(ended);
      kernel.group(0, Uint32Array.from(ended), ended.length);
      const third = Array.from({ length: 5000 }, (_, i) => i + 10_000);
      fill(kernel, third);
      expect(groupsOf(kernel.group(5000, NONE, 0))).toEqual(oracle.group(third));
      // More bins than rows: the columns move while the hashes are in them.
      const fourth = new Kernel(engine);
      const hashes = first.map((hash) => hash * 20_000_000);
      fill(fourth, hashes);
      const wanted = byBin(
        hashes.map((hash) => binOf(hash, 60_000)),
        60_000,
      );
      expect(groupsOf(fourth.reduce(200, 60_000))).toEqual(wanted);
    }
  });

  test("a finished key that is not in flight is an InvariantError", () => {
    for (const engine of ENGINES) {
      for (const count of [1, 40]) {
        const kernel = new Kernel(engine);
        kernel.hashColumn(1)[0] = 5;
        kernel.group(1, NONE, 0);
        const finished = new Uint32Array(count).fill(5);
        finished[count - 1] = 6;
        expect(() => kernel.group(0, finished, count)).toThrow("every finished key is in flight");
      }
    }
  });

  test("group() and pack() do not mix, nor do bins become fewer, with keys in flight", () => {
    const kernel = new Kernel();
    kernel.hashColumn(1)[0] = 5;
    kernel.pack(1, 8, new Uint32Array(8), NONE, 0);
    expect(() => kernel.group(0, NONE, 0)).toThrow("no key is in flight");
    expect(() => kernel.pack(0, 4, new Uint32Array(8), NONE, 0)).toThrow(
      "bins do not become fewer",
    );
    kernel.pack(0, 8, new Uint32Array(8), Uint32Array.of(5), 1);
    expect(kernel.pack(0, 4, new Uint32Array(4), NONE, 0).groupCount).toBe(0);
    kernel.hashColumn(1)[0] = 5;
    expect(groupsOf(kernel.group(1, NONE, 0))).toEqual({ lanes: [0], members: [[0]] });
  });
});
