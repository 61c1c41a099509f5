import { describe, expect, test } from "bun:test";
import { KeyShare } from "../../src/group/key-share.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

describe("KeyShare", () => {
  for (const seed of SEEDS) {
    test(`X3: tells the share of the hottest key of 10,000 messages, once (seed ${seed})`, () => {
      withSeed(seed, (random) => {
        for (const part of [0.5, 0.88, 0.92, 1]) {
          const share = new KeyShare();
          const counts = new Map<number, number>();
          const answers: number[] = [];
          let seen = 0;
          let expected: number | null = null;
          while (seen < 25_000) {
            const size = 1 + Math.floor(random() * 700);
            const hashes = new Uint32Array(size);
            for (let i = 0; i < size; i++) {
              // The hot key comes late in the first batch: its majority is not the window's.
              const hot = seen + i > 20 && random() < part;
              hashes[i] = hot ? 7 : 1000 + Math.floor(random() * 5000);
            }
            const inWindow = hashes.subarray(0, Math.max(0, 10_000 - seen));
            for (const hash of inWindow) counts.set(hash, (counts.get(hash) ?? 0) + 1);
            seen += size;
            if (inWindow.length > 0 && seen >= 10_000) {
              const most = Math.max(...counts.values()) / 10_000;
              expected = most > 0.9 ? most : null;
            }
            const answer = share.add(hashes);
            if (answer !== null) answers.push(answer);
          }
          expect(answers).toEqual(expected === null ? [] : [expected]);
        }
      });
    });
  }

  test("an empty batch changes nothing", () => {
    expect(new KeyShare().add(new Uint32Array(0))).toBeNull();
  });
});
