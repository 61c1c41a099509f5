import { describe, expect, test } from "bun:test";
import { byKey } from "../../src/index.ts";
import { DISTRIBUTIONS, type Distribution, flowModel } from "../../src/tools/flow-model.ts";
import { MinHeap } from "../../src/tools/min-heap.ts";
import { murmur3Text, PARTITION_KEY_SEED } from "../../src/wasm/hash.ts";
import { makeRig } from "../consumer/rig.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

interface Waiting {
  readonly number: number;
  readonly key: number;
  lane: number;
}

/** The same partition, written down plainly: all messages in flight in one list, looked through at each step. */
function plainly(
  distribution: Distribution,
  keys: readonly number[],
  lanes: number,
  window: number,
): { steps: number; counts: number[] } {
  const inFlight: Waiting[] = [];
  const counts = Array.from({ length: lanes }, () => 0);
  const load = (lane: number): number => inFlight.filter((one) => one.lane === lane).length;
  let [steps, next] = [0, 0];
  while (next < keys.length || inFlight.length > 0) {
    for (; next < keys.length && inFlight.length < window; next++) {
      const key = keys[next]!;
      let lane = key % lanes;
      if (distribution === "balanced") {
        const kept = inFlight.find((one) => one.key === key);
        const loads = counts.map((_, at) => load(at));
        lane = kept?.lane ?? loads.indexOf(Math.min(...loads));
      }
      if (distribution === "per-key") lane = -1;
      inFlight.push({ number: next, key, lane });
    }
    const started: Waiting[] = [];
    for (const one of inFlight) {
      const same = (other: Waiting): boolean =>
        distribution === "per-key" ? other.key === one.key : other.lane === one.lane;
      if (started.length < lanes && !started.some(same)) started.push(one);
    }
    started.forEach((one, at) => {
      counts[one.lane === -1 ? at : one.lane]!++;
      inFlight.splice(inFlight.indexOf(one), 1);
    });
    steps++;
  }
  return { steps, counts };
}

describe("flowModel()", () => {
  for (const distribution of DISTRIBUTIONS) {
    test.each([...SEEDS])(`${distribution} is what is done plainly: seed %d`, (seed) => {
      withSeed(seed, (random) => {
        for (const [lanes, window, range] of [
          [4, 20, 30],
          [8, 8, 5],
          [3, 50, 200],
          [6, 1, 9],
          [1, 7, 3],
        ] as const) {
          const keys = Array.from({ length: 300 }, () => Math.floor(range * random() ** 2));
          const model = flowModel(distribution, lanes, window);
          for (const key of keys) model.push(key, key % lanes);
          const expected = plainly(distribution, keys, lanes, window);
          expect(model.finish()).toBe(expected.steps);
          expect(Array.from(model.counts)).toEqual(expected.counts);
        }
      });
    });
  }

  test.each([...DISTRIBUTIONS])(
    "%s foretells how long a real consumer takes",
    async (distribution) => {
      const [lanes, window, total] = [8, 64, 1200];
      const keys = Array.from(
        { length: total },
        (_, at) => `k${Math.floor(((at * 37) % 101) ** 2 / 300)}`,
      );
      const model = flowModel(distribution, lanes, window);
      for (const key of keys) {
        const hash = murmur3Text(key, PARTITION_KEY_SEED);
        model.push(hash, Math.floor((hash * lanes) / 2 ** 32));
      }
      const expected = model.finish();
      const took = await consumerSteps(distribution, keys, lanes, window);
      expect(took / expected).toBeGreaterThan(0.93);
      expect(took / expected).toBeLessThan(1.07);
    },
  );
});

/** Handler calls of 10 ms one after the other that a consumer needs, with up to `window` messages in flight. */
async function consumerSteps(
  distribution: Distribution,
  keys: readonly string[],
  lanes: number,
  window: number,
): Promise<number> {
  let done = 0;
  const rig = makeRig({
    quiet: true,
    consumer: { concurrency: lanes },
    topic: {
      virtualPartitions: { partitioner: byKey(), maxPartitions: lanes, distribution },
      eachMessage: async () => {
        await new Promise<void>((resolve) => rig.clock.setTimer(resolve, 10));
        done++;
      },
    },
  });
  const running = rig.consumer.run();
  await rig.pass();
  const startMs = rig.clock.now();
  let sent = 0;
  while (done < keys.length) {
    const room = Math.min(keys.length - sent, window - (sent - done));
    if (room > 0) await rig.send(keys.slice(sent, sent + room));
    sent += Math.max(0, room);
    await rig.pass(10);
  }
  const steps = (rig.clock.now() - startMs) / 10;
  const closing = rig.consumer.close();
  await rig.pass(10);
  await Promise.all([closing, running]);
  return steps;
}

test.each([...SEEDS])("MinHeap gives numbers in order: seed %d", (seed) => {
  withSeed(seed, (random) => {
    const heap = new MinHeap();
    const plain: number[] = [];
    for (let round = 0; round < 500; round++) {
      if (random() < 0.6) {
        const value = Math.floor(random() * 100);
        heap.push(value);
        plain.push(value);
      } else {
        plain.sort((a, b) => a - b);
        expect(heap.peek()).toBe(plain[0]);
        expect(heap.pop()).toBe(plain.shift());
      }
      expect(heap.size).toBe(plain.length);
    }
  });
});
