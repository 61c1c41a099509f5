import { describe, expect, test } from "bun:test";
import { Worker } from "node:worker_threads";
import { createChannel } from "../../src/worker/create-channel.ts";
import { type Game, Player } from "./tokens.ts";

interface Way {
  readonly byBell?: boolean;
  readonly blockMs?: number;
}

/** Plays against a thread; what both sides have counted. */
async function play(ringBytes: number, game: Game, { byBell = false, blockMs = 0 }: Way) {
  const { end, memory } = createChannel({
    ringBytes,
    arenaBytes: 0,
    sleepsByBell: byBell,
    ring: () => worker.postMessage("bell"),
  });
  const worker = new Worker(new URL("./token-thread.ts", import.meta.url), {
    workerData: { memory, game, byBell, blockMs },
  });
  const counted = Promise.withResolvers<{ sent: number; received: number }>();
  const ready = Promise.withResolvers<void>();
  worker.on("message", (message) => {
    if (message === "bell") end.rung();
    else if (message === "ready") ready.resolve();
    else counted.resolve(message);
  });
  worker.on("error", (error) => {
    ready.reject(error);
    counted.reject(error);
    end.abandon();
  });
  const exited = new Promise<void>((resolve) => worker.on("exit", () => resolve()));
  const player = new Player(end, game);
  try {
    // Deno loses messages that come before the thread listens.
    await ready.promise;
    player.start();
    await player.listen();
    return { here: player, there: await counted.promise };
  } finally {
    await worker.terminate();
    await exited;
  }
}

const seed = Date.now() >>> 0;
const ways: readonly (readonly [string, Way])[] = [
  ["waitAsync on both sides", {}],
  ["the thread blocks for 2 ms", { blockMs: 2 }],
  ["bells on both sides", { byBell: true }],
];

describe("W2: frames arrive whole, once and in order", () => {
  for (const [name, way] of ways) {
    test.each([
      { ringBytes: 64, tokens: 1, hops: 4000, maxBytes: 100 },
      { ringBytes: 64, tokens: 50, hops: 80, maxBytes: 300 },
      { ringBytes: 256, tokens: 3, hops: 2000, maxBytes: 200 },
      { ringBytes: 4096, tokens: 400, hops: 30, maxBytes: 20_000 },
      { ringBytes: 131_072, tokens: 1000, hops: 200, maxBytes: 500 },
    ])(`${name}: %j`, async ({ ringBytes, ...game }) => {
      const frames = (game.tokens * game.hops) / 2;
      const { here, there } = await play(ringBytes, { ...game, seed }, way).catch((error) => {
        throw new Error(`With seed ${seed}: ${error.message}`, { cause: error });
      });
      expect({ sent: here.sent, received: here.received }).toEqual({
        sent: frames,
        received: frames,
      });
      expect(there).toEqual({ sent: frames, received: frames });
    });
  }
});
