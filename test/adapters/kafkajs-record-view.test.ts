import { describe, expect, test } from "bun:test";
import type { ClientMessage } from "../../src/adapters/kafkajs/client.ts";
import { indexOfOffset, recordViews as lazyViews } from "../../src/adapters/kafkajs/record-view.ts";
import type { RecordBatch } from "../../src/source/source.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function message(offset: number, fields: Partial<ClientMessage> = {}): ClientMessage {
  return { offset: String(offset), timestamp: "5", key: null, value: null, headers: {}, ...fields };
}

function recordViews(...args: Parameters<typeof lazyViews>): RecordBatch[] {
  return [...lazyViews(...args)].map(({ records }) => records);
}

describe("recordViews()", () => {
  test("shows keys, values and times in place, without deltas when offsets are dense", () => {
    const key = bytes("k");
    const [view, none] = recordViews([message(7), message(8, { key, value: bytes("vv") })], 0);
    expect(none).toBeUndefined();
    expect(view).toMatchObject({ count: 2, baseOffset: 7, offsetDeltas: null });
    expect(view?.keyAt(0)).toBeNull();
    expect(view?.keyAt(1)).toBe(key);
    expect(view?.timestampAt(1)).toBe(5);
    expect(view?.byteLength).toBe(2 * 512 + 1 + 2);
  });

  test("gives deltas when the log has holes, and leaves out what lies below the start", () => {
    const [view] = recordViews([message(1), message(4), message(9), message(10)], 1);
    expect(view).toMatchObject({ count: 3, baseOffset: 4 });
    expect([...(view?.offsetDeltas ?? [])]).toEqual([0, 5, 6]);
  });

  test("splits where offsets are more than 2^32 - 1 apart", () => {
    const far = 2 ** 32;
    const views = recordViews([message(0), message(far - 1), message(far), message(far + 2)], 0);
    expect(views.map(({ baseOffset, count }) => [baseOffset, count])).toEqual([
      [0, 2],
      [far, 2],
    ]);
    expect([...(views[0]?.offsetDeltas ?? [])]).toEqual([0, 0xffff_ffff]);
  });

  test("reads headers of every shape that kafkajs gives, and counts their bytes", () => {
    const headers = { a: bytes("1"), b: [bytes("2"), bytes("33")], c: null, __proto__x: "é" };
    const [view] = recordViews([message(0, { headers }), message(1)], 0);
    const read = view?.headersAt(0);
    expect(read?.entries().map(([name, value]) => [name, new TextDecoder().decode(value)])).toEqual(
      [
        ["a", "1"],
        ["b", "2"],
        ["b", "33"],
        ["c", ""],
        ["__proto__x", "é"],
      ],
    );
    expect(read?.text("b")).toBe("2");
    expect(read?.has("toString")).toBe(false);
    expect(view?.headersAt(1).entries()).toEqual([]);
    expect(view?.byteLength).toBe(2 * 512 + 5 + 4 * 32);
  });

  test("cuts a large fetch into batches of 1,024, none lost, markers behind the last only", () => {
    const messages = Array.from({ length: 2500 }, (_, offset) => message(offset + 10));
    const views = [...lazyViews(messages, 3)];
    expect(views.map(({ records }) => records.count)).toEqual([1024, 1024, 449]);
    expect(views.map(({ records }) => records.baseOffset)).toEqual([13, 1037, 2061]);
    expect(views.map(({ endOffset }) => endOffset)).toEqual([1037, 2061, null]);
  });

  test("each batch holds its memory until it is released, once; kept ones hold it for good", () => {
    const calls: string[] = [];
    const memory = { hold: () => calls.push("hold"), release: () => calls.push("release") };
    const messages = Array.from({ length: 2500 }, (_, offset) => message(offset));
    const [first, second, third] = recordViews(messages, 0, memory);
    expect(calls).toEqual(["hold", "hold", "hold"]);
    first?.release?.();
    first?.release?.();
    second?.keep?.();
    second?.release?.();
    third?.release?.();
    expect(calls.slice(3)).toEqual(["release", "release"]);
  });

  test("indexOfOffset() agrees with a scan", () => {
    const offsets = [3, 4, 8, 9, 20];
    const messages = offsets.map((offset) => message(offset));
    for (let offset = 0; offset < 25; offset++) {
      const scan = offsets.findIndex((one) => one >= offset);
      expect(indexOfOffset(messages, offset)).toBe(scan === -1 ? offsets.length : scan);
    }
    expect(indexOfOffset([], 3)).toBe(0);
  });
});
