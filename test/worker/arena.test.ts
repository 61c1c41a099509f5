import { expect, test } from "bun:test";
import { Arena, type ArenaRegion } from "../../src/worker/arena.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

const BYTES = 1024 * 1024;

test.each([...SEEDS])("W2: Arena.allocate() never gives out what is in use, seed %d", (seed) => {
  withSeed(seed, (random) => {
    const arena = new Arena(BYTES);
    const live = new Set<ArenaRegion>();
    let refused = 0;
    for (let step = 0; step < 5000; step++) {
      const bytes = Math.floor(random() ** 4 * 100_000) + 1;
      const region = random() < 0.55 ? arena.allocate(bytes) : undefined;
      if (region === null) refused++;
      else if (region !== undefined) {
        const { start, end } = region;
        const fits = start % 64 === 0 && end <= BYTES && end - start >= bytes;
        const free = [...live].every((other) => start >= other.end || end <= other.start);
        if (!fits || !free) throw new Error(`${bytes} bytes at ${start}…${end} in step ${step}`);
        live.add(region);
      } else {
        const [any] = [...live].slice(Math.floor(random() * live.size));
        any?.free();
        if (any !== undefined) live.delete(any);
      }
      const used = [...live].reduce((sum, { start, end }) => sum + end - start, 0);
      if (arena.usedBytes !== used) throw new Error(`${arena.usedBytes}, not ${used} bytes used`);
    }
    expect(refused).toBeGreaterThan(0);
    for (const region of live) region.free();
    expect(arena.allocate(BYTES)).not.toBeNull();
  });
});

test("Arena.allocate() finds a gap between regions that stay, and says no when there is none", () => {
  const arena = new Arena(640);
  const regions = Array.from({ length: 10 }, () => arena.allocate(64)!);
  expect(arena.allocate(1)).toBeNull();
  regions[3]!.free();
  expect(arena.allocate(128)).toBeNull();
  expect(arena.allocate(64)).toMatchObject({ start: 192, end: 256 });
  regions[7]!.free();
  regions[8]!.free();
  expect(arena.allocate(65)).toMatchObject({ start: 448, end: 576 });
});

test("ArenaRegion.free() does nothing a second time", () => {
  const arena = new Arena(192);
  const [first, second] = [arena.allocate(64)!, arena.allocate(64)!];
  first.free();
  first.free();
  expect(arena.usedBytes).toBe(64);
  const again = [arena.allocate(64), arena.allocate(64), arena.allocate(64)];
  expect(again.filter((region) => region !== null)).toHaveLength(2);
  expect(again).not.toContainEqual(expect.objectContaining({ start: second.start }));
});

test("Arena.allocate() says no to more than there is, and takes nothing for it", () => {
  const arena = new Arena(0);
  expect(arena.allocate(1)).toBeNull();
  expect(new Arena(4096).allocate(4097)).toBeNull();
  expect(arena.usedBytes).toBe(0);
});
