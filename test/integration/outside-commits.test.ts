import { afterAll, describe, expect, test } from "bun:test";
import { GroupRunningError } from "../../src/errors.ts";
import { Bench, bootstrap, unique } from "./kafkajs-harness.ts";
import { joinNewer, leaveNewer } from "./newer-member.ts";

const TIMEOUT_MS = 20_000;

describe.skipIf(bootstrap === "")("commits from outside of a group", () => {
  const bench = new Bench();
  afterAll(() => bench.close());

  for (const [name, hasOffset] of [
    ["without an offset", false],
    ["with an offset", true],
  ] as const) {
    test(
      `S6: a live group of the newer protocol ${name} is running, whatever "Dead" says`,
      async () => {
        const admin = await bench.admin();
        const topic = await bench.topic(2);
        const groupId = unique("group");
        const kept = [{ partition: 1, offset: 3, metadata: "kept" }];
        if (hasOffset) await admin.commit(groupId, topic, kept);
        const before = await admin.committed(groupId, topic);

        await joinNewer(groupId, topic);
        expect((await admin.describeGroup(groupId, topic)).state).toBe("running");
        const refused = admin.commit(groupId, topic, [{ partition: 0, offset: 1, metadata: "" }]);
        expect(await refused.catch((error: unknown) => error)).toBeInstanceOf(GroupRunningError);
        expect(await admin.committed(groupId, topic)).toEqual(before);

        await leaveNewer(groupId, topic);
        expect((await admin.describeGroup(groupId, topic)).state).toBe("empty");
        expect(await admin.committed(groupId, topic)).toEqual(before);
        await admin.commit(groupId, topic, [{ partition: 0, offset: 1, metadata: "m" }]);
        const [first] = await admin.committed(groupId, topic);
        expect(first).toEqual({ partition: 0, offset: 1, metadata: "m" });
      },
      TIMEOUT_MS,
    );
  }

  test(
    "more metadata than one request holds is stored whole",
    async () => {
      const admin = await bench.admin();
      const topic = await bench.topic(90);
      const groupId = unique("group");
      const metadata = "\u4e00".repeat(4096);
      const offsets = Array.from({ length: 90 }, (_, partition) => ({
        partition,
        offset: partition,
        metadata,
      }));
      await admin.commit(groupId, topic, offsets);
      expect(await admin.committed(groupId, topic)).toEqual(offsets);
    },
    TIMEOUT_MS,
  );
});
