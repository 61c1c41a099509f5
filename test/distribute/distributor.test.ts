import { describe, expect, test } from "bun:test";
import { createDistributor } from "../../src/distribute/distributor.ts";
import { FinishedKeys } from "../../src/distribute/finished-keys.ts";
import { Grouper } from "../../src/group/grouper.ts";
import { PolledBatch } from "../../src/polled-batch.ts";
import { resolveOptions } from "../../src/resolve-options.ts";
import { recordList } from "../../src/source/record-list.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import { Kernel } from "../../src/wasm/kernel.ts";

const lease = { topic: "t", partition: 0 };

/** A per-key distributor, fed with batches of keys. */
function perKey() {
  const { source } = memorySource();
  const virtualPartitions = { distribution: "per-key" as const };
  const options = resolveOptions(
    { source, groupId: "g", topics: { t: { eachMessage: () => {}, virtualPartitions } } },
    fakeClock(),
  );
  const kernel = new Kernel();
  const grouper = new Grouper(kernel, null, false);
  const finished = new FinishedKeys();
  const distributor = createDistributor(kernel, options.topics.get("t")!, finished);
  let offset = 0;
  return {
    finished,
    place: (keys: readonly string[]) => {
      const records = recordList(
        keys.map((key) => ({
          offset: offset++,
          timestamp: 0,
          key: new TextEncoder().encode(key),
          value: null,
          headers: [],
        })),
      );
      const given = { lease, records, nextOffset: offset, highWatermark: -1 };
      const batch = new PolledBatch(lease, given, null, 0);
      expect(grouper.group(batch)).toBeNull();
      const placement = distributor.distribute(batch, null, { loads: () => new Uint32Array(0) });
      if ("error" in placement) throw placement.error;
      return { batch, lanes: [...placement.lanes.subarray(0, placement.groupCount)] };
    },
  };
}

describe("per-key distributor", () => {
  test("D3: lanes are reused once a key is done: their number does not grow with the keys seen", () => {
    const { place, finished } = perKey();
    let highest = 0;
    for (let round = 0; round < 200; round++) {
      const keys = Array.from({ length: 50 }, (_, i) => `round ${round} key ${i}`);
      const { batch, lanes } = place(keys);
      expect(new Set(lanes).size).toBe(50);
      highest = Math.max(highest, ...lanes);
      for (const hash of batch.hashes) finished.push(hash);
    }
    expect(highest).toBeLessThan(150);
  });

  test("D3: a key stays in its lane while it has messages in flight or queued", () => {
    const { place, finished } = perKey();
    const first = place(["a", "b", "a"]);
    expect(first.lanes).toHaveLength(2);
    const again = place(["a"]);
    expect(again.lanes[0]).toBe(first.lanes[0]!);
    finished.push(first.batch.hashes[0]!);
    finished.push(first.batch.hashes[2]!);
    expect(place(["a"]).lanes[0]).toBe(first.lanes[0]!);
  });
});
