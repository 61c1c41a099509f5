import { describe, expect, test } from "bun:test";
import { kafkajs } from "../../src/adapters/kafkajs.ts";

/** A client whose coordinator answers each question with the next of these: an error type, or offset 7. */
function clientOf(answers: (string | null)[]): new () => object {
  return class {
    consumer = (): object => ({});
    admin = (): object => ({
      connect: async () => {},
      disconnect: async () => {},
      fetchOffsets: async () => {
        const type = answers.shift() ?? null;
        if (type !== null) throw Object.assign(new Error("planned"), { type, retriable: true });
        return [{ topic: "t", partitions: [{ partition: 0, offset: "7", metadata: null }] }];
      },
    });
  };
}

function adminOf(answers: (string | null)[]): ReturnType<ReturnType<typeof kafkajs>["admin"]> {
  const Kafka = clientOf(answers) as never;
  return kafkajs({ brokers: ["127.0.0.1:1"], Kafka }).admin();
}

describe("KafkajsAdmin", () => {
  test("committed() asks again while the coordinator is loading", async () => {
    const answers = ["GROUP_LOAD_IN_PROGRESS", "GROUP_LOAD_IN_PROGRESS", null];
    const admin = adminOf(answers);
    await admin.open();
    expect(await admin.committed("g", "t")).toEqual([{ partition: 0, offset: 7, metadata: "" }]);
    expect(answers).toEqual([]);
  });

  test("committed() rejects at once for another error", async () => {
    const answers = ["GROUP_AUTHORIZATION_FAILED", null];
    const admin = adminOf(answers);
    await admin.open();
    await expect(admin.committed("g", "t")).rejects.toThrow('group "g" must be readable');
    expect(answers).toEqual([null]);
  });
});
