import { expect, test } from "bun:test";
import { OffsetTexts } from "../../src/mark/offset-texts.ts";
import { decodeMetadata } from "../../src/metadata/decode-metadata.ts";
import { encodeMetadata } from "../../src/metadata/encode-metadata.ts";
import { Calls, TOPIC, withRig } from "../consumer/rig.ts";

const WHERE = { topic: TOPIC, partition: 0 };
const NO_ID = new Uint8Array(0);

test("O7: a text given to a lower message later does not replace that of a committed one", () => {
  const texts = new OffsetTexts(true, null);
  texts.attach(10, "ten");
  expect(texts.at(11)).toBe("ten");
  texts.attach(5, "five");
  expect(texts.at(11)).toBe("ten");
  texts.attach(10, "ten again");
  expect(texts.at(11)).toBe("ten again");
});

test("O6: a text that the broker has no room for does not take the map along", () => {
  const userText = "x".repeat(100);
  const input = { offset: 7, logEnd: 20, topicId: NO_ID, runs: [1, 3], segmentation: null };
  const encoded = encodeMetadata({ ...input, userText }, { form: "dense", maxLength: 50 });
  expect(encoded).toMatchObject({ completed: 3, truncated: true });
  const read = decodeMetadata(encoded.text, { offset: 7, logEnd: 20, topicId: NO_ID });
  expect(read.userText).toBe(null);
  expect([...read.completed.ranges()]).toEqual([{ from: 8, to: 11 }]);
});

test("O7: a seek keeps the text that was given last", async () => {
  const calls = new Calls();
  const topic = { eachMessage: calls.eachMessage };
  await withRig({ topic }, async ({ send, pass, consumer, memory, groupId }) => {
    await send(["a"]);
    calls.at(0).context.setOffsetMetadata("given");
    calls.finish(0);
    await pass(1000);
    await consumer.seek(WHERE, 0);
    await pass(1000);
    const { offset, metadata } = memory.committed(groupId, TOPIC, 0)!;
    const read = decodeMetadata(metadata, { offset, logEnd: 1, topicId: NO_ID });
    expect([offset, read.userText]).toEqual([0, "given"]);
    calls.finishAll();
  });
});
