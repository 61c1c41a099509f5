import { describe, expect, test } from "bun:test";
import { DeserializeError } from "../src/errors.ts";
import { MessageView } from "../src/message.ts";
import type { PlainRecord } from "../src/plain-record.ts";
import { PolledBatch } from "../src/polled-batch.ts";
import { recordList } from "../src/source/record-list.ts";
import type { Deserializer, Message } from "../src/types.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const lease = { topic: "orders", partition: 3 };

function messageOf(
  record: Partial<PlainRecord>,
  deserializer: Deserializer<unknown> | null = null,
): Message {
  const all = { offset: 70, timestamp: 5, key: null, value: null, headers: [], ...record };
  const before = { ...all, offset: all.offset - 7 };
  const batch = { lease, records: recordList([before, all]), nextOffset: 99, highWatermark: 120 };
  return new MessageView(new PolledBatch(lease, batch, deserializer, 0), 1);
}

describe("MessageView", () => {
  test("H3: reads its record in place", () => {
    const value = bytes('{"a":1}');
    const key = bytes("schlüssel");
    const message = messageOf({ key, value, timestamp: 1234 });
    expect(message).toMatchObject({ topic: "orders", partition: 3, offset: 70, timestamp: 1234 });
    expect(message.key).toBe(key);
    expect(message.value).toBe(value);
    expect(message.payload).toBe(value);
    expect(message.keyText()).toBe("schlüssel");
    expect(message.text()).toBe('{"a":1}');
    expect(message.json<{ a: number }>()).toEqual({ a: 1 });
    expect(Object.keys(message)).toEqual([]);
  });

  test("a null key and a null value give null, also as text and JSON", () => {
    const message = messageOf({});
    expect([message.key, message.value, message.keyText(), message.text()]).toEqual([
      null,
      null,
      null,
      null,
    ]);
    expect(message.json<unknown>()).toBeNull();
    expect(message.payload).toBeNull();
  });

  test("headers keep duplicates in order; get() and text() give the first", () => {
    const { headers } = messageOf({
      headers: [
        ["a", bytes("1")],
        ["b", bytes("2")],
        ["a", bytes("3")],
      ],
    });
    expect(headers.text("a")).toBe("1");
    expect(headers.get("b")).toEqual(bytes("2"));
    expect(headers.get("c")).toBeNull();
    expect(headers.text("c")).toBeNull();
    expect([headers.has("a"), headers.has("c")]).toEqual([true, false]);
    expect(headers.entries().map(([name, value]) => [name, ...value])).toEqual([
      ["a", 49],
      ["b", 50],
      ["a", 51],
    ]);
  });

  test("the payload is made once, on first access, from the bytes and the message", () => {
    const seen: unknown[] = [];
    const message = messageOf({ value: bytes("x") }, (value, of) => {
      seen.push([value, of.offset]);
      return { made: seen.length };
    });
    expect(seen).toEqual([]);
    const { payload } = message;
    expect(message.payload).toBe(payload);
    expect(seen).toEqual([[bytes("x"), 70]]);
  });

  test("a payload of undefined is made once too", () => {
    let made = 0;
    const message = messageOf({}, () => void made++);
    expect(message.payload).toBeUndefined();
    expect(message.payload).toBeUndefined();
    expect(made).toBe(1);
  });

  test("E1: a deserializer that throws gives a DeserializeError that names the message", () => {
    const cause = new Error("bad bytes");
    const message = messageOf({}, () => {
      throw cause;
    });
    let error: unknown;
    try {
      void message.payload;
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(DeserializeError);
    expect((error as DeserializeError).message).toContain("orders#3@70");
    expect((error as DeserializeError).cause).toBe(cause);
  });

  test("detach() is a copy that keeps everything but shares no memory", () => {
    const big = new Uint8Array(1000).fill(120);
    const value = big.subarray(10, 13);
    const message = messageOf(
      { key: big.subarray(0, 2), value, timestamp: 9, headers: [["h", big.subarray(5, 7)]] },
      (of) => of?.length,
    );
    const copy = message.detach();
    big.fill(0);
    expect(copy).toMatchObject({ topic: "orders", partition: 3, offset: 70, timestamp: 9 });
    expect(copy.text()).toBe("xxx");
    expect(copy.keyText()).toBe("xx");
    expect(copy.headers.text("h")).toBe("xx");
    expect(copy.headers.has("i")).toBe(false);
    expect(copy.payload).toBe(3);
    expect(copy.detach().text()).toBe("xxx");
    expect(copy.detach().offset).toBe(70);
    expect(messageOf({}).detach().key).toBeNull();
  });

  test("origin() knows views, and nothing else", () => {
    const message = messageOf({});
    expect(MessageView.origin(message)?.index).toBe(1);
    expect(MessageView.origin({})).toBeUndefined();
  });
});
