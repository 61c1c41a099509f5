import { afterAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { GroupRunningError } from "../../src/errors.ts";
import { Bench, bootstrap, unique } from "./kafkajs-harness.ts";

const TIMEOUT_MS = 20_000;
const MEMBER = "AAAAAAAAAAAAAAAAAAAAAA";
/** Member epochs that join and leave. */
const JOIN = 0;
const LEAVE = -1;

const int16 = (value: number): Buffer => Buffer.from(new Int16Array([value]).buffer).swap16();
const int32 = (value: number): Buffer => Buffer.from(new Int32Array([value]).buffer).swap32();
const varint = (value: number): Buffer => Buffer.from([value]);
const compact = (text: string): Buffer =>
  Buffer.concat([varint(text.length + 1), Buffer.from(text)]);
const NULL = varint(0);
const EMPTY_ARRAY = varint(1);

/** Joins or leaves a group of the newer protocol (KIP-848), which kafkajs does not speak. */
function heartbeat(groupId: string, topic: string, epoch: number): Promise<number> {
  const joins = epoch === JOIN;
  const request = Buffer.concat([
    ...[int16(68), int16(1), int32(7), int16(1), Buffer.from("x"), NULL],
    ...[compact(groupId), compact(MEMBER), int32(epoch), NULL, NULL],
    ...[int32(joins ? 30_000 : -1), joins ? Buffer.concat([varint(2), compact(topic)]) : NULL],
    ...[NULL, NULL, joins ? EMPTY_ARRAY : NULL, NULL],
  ]);
  const [host, port] = bootstrap.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host, () =>
      socket.write(Buffer.concat([int32(request.length), request])),
    );
    socket.once("error", reject);
    socket.once("data", (answer) => {
      socket.end();
      // Size, correlation id, tags, throttle time, then the error code.
      resolve(answer.readInt16BE(13));
    });
  });
}

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

        expect(await heartbeat(groupId, topic, JOIN)).toBe(0);
        expect((await admin.describeGroup(groupId, topic)).state).toBe("running");
        const refused = admin.commit(groupId, topic, [{ partition: 0, offset: 1, metadata: "" }]);
        expect(await refused.catch((error: unknown) => error)).toBeInstanceOf(GroupRunningError);
        expect(await admin.committed(groupId, topic)).toEqual(before);

        expect(await heartbeat(groupId, topic, LEAVE)).toBe(0);
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
