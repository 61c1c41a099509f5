import { describe, expect, test } from "bun:test";
import { offsetOf, type Position, parsePosition } from "../../../src/cli/log/position.ts";

const NOW_MS = Date.UTC(2030, 0, 31, 12);

function parse(text: string): Position {
  return parsePosition("read", "--from", text, NOW_MS);
}

describe("parsePosition()", () => {
  test.each([
    ["earliest", { kind: "earliest" }],
    ["latest", { kind: "latest" }],
    ["0", { kind: "offset", offset: 0 }],
    ["17", { kind: "offset", offset: 17 }],
    ["-5", { kind: "last", count: 5 }],
    ["250ms", { kind: "time", timestampMs: NOW_MS - 250 }],
    ["90s", { kind: "time", timestampMs: NOW_MS - 90_000 }],
    ["15m", { kind: "time", timestampMs: NOW_MS - 900_000 }],
    ["2h", { kind: "time", timestampMs: NOW_MS - 7_200_000 }],
    ["1d", { kind: "time", timestampMs: NOW_MS - 86_400_000 }],
    ["2030-01-31T12:00:00Z", { kind: "time", timestampMs: NOW_MS }],
    ["2030-01-31T13:00+01:00", { kind: "time", timestampMs: NOW_MS }],
    ["2030-01-31T12:00", { kind: "time", timestampMs: new Date(2030, 0, 31, 12).getTime() }],
    ["2030-01-31", { kind: "time", timestampMs: new Date(2030, 0, 31).getTime() }],
  ] as [string, Position][])("reads %s", (text, position) => {
    expect(parse(text)).toEqual(position);
  });

  test.each(["", "now", "1.5", "1e3", "5 m", "15x", "2030-13-01", "9".repeat(17), "--5"])(
    "refuses %j",
    (text) => {
      expect(() => parse(text)).toThrow(
        `Cannot read as --from must be earliest, latest, an offset`,
      );
      expect(() => parse(text)).toThrow(`received "${text}"`);
    },
  );
});

describe("offsetOf()", () => {
  const at = { act: "read", topic: "t", partition: 3 };
  const bounds = { logStart: 10, logEnd: 20 };
  const asked: unknown[] = [];
  const log = {
    offsetForTime: async (...call: unknown[]) => {
      asked.push(call);
      return call[2] === 1 ? 15 : null;
    },
  };

  test.each([
    ["earliest", 10],
    ["latest", 20],
    ["10", 10],
    ["20", 20],
    ["-3", 17],
    ["-300", 10],
  ])("%s is %d", async (text, offset) => {
    expect(await offsetOf(log, at, parse(text), bounds)).toBe(offset);
  });

  test("asks the log for times, and takes the end when nothing is as young", async () => {
    const time = (timestampMs: number): Position => ({ kind: "time", timestampMs });
    expect(await offsetOf(log, at, time(1), bounds)).toBe(15);
    expect(await offsetOf(log, at, time(2), bounds)).toBe(20);
    expect(asked).toEqual([
      ["t", 3, 1],
      ["t", 3, 2],
    ]);
  });

  test.each(["9", "21"])("refuses %s, naming the offsets that there are", async (text) => {
    const asked = offsetOf(log, at, parse(text), bounds);
    await expect(asked).rejects.toThrow(`offsets of t#3 are 10 to 20: received ${text}`);
  });
});
