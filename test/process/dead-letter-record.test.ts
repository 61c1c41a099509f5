import { describe, expect, test } from "bun:test";
import { MessageView } from "../../src/message.ts";
import { deadLetterRecord } from "../../src/process/dead-letter-record.ts";
import { batchOf } from "../schedule/lanes.ts";

const origin = { groupId: "g", virtualPartition: 3, wallTimeMs: 1_700_000_000_000 };

function recordFor(error: unknown) {
  const message = new MessageView(batchOf([7]), 0);
  const place = { topic: "t", partition: 4, offset: 7 };
  return deadLetterRecord({ message, error, attempt: 2, collapsed: true, ...place }, origin);
}

function header(error: unknown, name: string): string {
  const [, bytes] = recordFor(error).headers.find(([one]) => one === name)!;
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

describe("deadLetterRecord()", () => {
  test("Q3: a record without key and value stays without; its time is that of the dispatch", () => {
    expect(recordFor(new Error("x"))).toMatchObject({
      key: null,
      value: null,
      id: null,
      timestamp: 1_700_000_000_000,
    });
  });

  test("Q3: the error's name and message, also of what is no Error", () => {
    class OrderError extends Error {
      override readonly name = "OrderError";
    }
    expect(header(new OrderError("gone"), "headrace-error-name")).toBe("OrderError");
    expect(header(new OrderError("gone"), "headrace-error-message")).toBe("gone");
    for (const thrown of ["text", 7, undefined, null]) {
      expect(header(thrown, "headrace-error-name")).toBe("Error");
      expect(header(thrown, "headrace-error-message")).toBe(String(thrown));
    }
  });

  test("Q3: texts are cut at 1 KiB of UTF-8, between two characters", () => {
    for (const [sign, bytes] of [
      ["a", 1024],
      ["é", 1024],
      ["€", 1023],
      ["😀", 1024],
    ] as const) {
      for (const [before, length] of [
        ["", bytes],
        ["b", sign === "a" ? 1024 : sign === "€" ? 1024 : sign === "é" ? 1023 : 1021],
      ] as const) {
        const text = header(new Error(before + sign.repeat(2000)), "headrace-error-message");
        expect(new TextEncoder().encode(text).length).toBe(length);
        expect((before + sign.repeat(2000)).startsWith(text)).toBe(true);
      }
    }
  });
});
