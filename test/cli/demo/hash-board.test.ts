import { describe, expect, test } from "bun:test";
import { HashBoard } from "../../../src/cli/demo/hash-board.ts";
import { hashOrder } from "../../../src/cli/demo/hash-orders.ts";

describe("HashBoard", () => {
  test("tells starts and ends in their order, whichever thread wrote them", () => {
    const board = new HashBoard(3);
    const other = new HashBoard(3, board.memory);
    expect(board.lastFinishedAt).toBe(0);
    const before = performance.now();
    board.handle(1, 7, () => {
      other.handle(0, 8, () => 50);
      return 60;
    });
    expect(other.finished).toBe(2);
    expect(board.lastFinishedAt).toBeGreaterThan(before - 1);
    expect(board.answers).toEqual([50, 60, 0]);
    const told: string[] = [];
    board.replay({
      started: (offset) => told.push(`start ${offset}`),
      finished: (offset, lane) => told.push(`end ${offset} on ${lane}`),
    });
    expect(told).toEqual(["start 1", "start 0", "end 0 on 8", "end 1 on 7"]);
  });
});

describe("hashOrder()", () => {
  test("follows from the value alone", () => {
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    expect(hashOrder(bytes("a"))).toBe(hashOrder(bytes("a")));
    expect(hashOrder(bytes("a"))).not.toBe(hashOrder(bytes("b")));
    expect(hashOrder(bytes("a"))).toBeGreaterThan(0);
  });
});
