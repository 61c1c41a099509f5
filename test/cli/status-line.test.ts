import { beforeEach, expect, test } from "bun:test";
import { StatusLine } from "../../src/cli/status-line.ts";
import { fakeIo } from "./fake-io.ts";

let nowMs = 0;
beforeEach(() => {
  nowMs = 0;
});

test("update() writes whole lines, one per interval, when the screen is no terminal", () => {
  const io = fakeIo();
  const line = new StatusLine(io.err, 1000, () => nowMs);
  for (nowMs = 0; nowMs <= 2000; nowMs += 250) line.update(() => `at ${nowMs}`);
  expect(io.output.err).toBe("at 1000\nat 2000\n");
});

test("update() makes no text before its interval has passed", () => {
  const io = fakeIo();
  const line = new StatusLine(io.err, 1000, () => nowMs);
  nowMs = 999;
  line.update(() => {
    throw new Error("made too early");
  });
  expect(io.output.err).toBe("");
});

test("print() and clear() write no control codes when the screen is no terminal", () => {
  const io = fakeIo();
  const line = new StatusLine(io.err, 0, () => nowMs);
  line.update(() => "status");
  line.print("news");
  line.clear();
  expect(io.output.err).toBe("status\nnews\n");
});

test("a terminal's line is redrawn in one write, cut to the width, and moves out of the way", () => {
  const writes: string[] = [];
  const { err } = fakeIo({ terminal: true, columns: 14 });
  const screen = { ...err, write: (text: string) => void writes.push(text) };
  const line = new StatusLine(screen, 1000, () => nowMs);
  for (nowMs = 100; nowMs <= 300; nowMs += 100) line.update(() => `${nowMs} 456789abcdef`);
  line.print("news");
  expect(writes).toEqual([
    "\u001b[?25l\r100 456789a\u001b[K",
    "\r200 456789a\u001b[K",
    "\r300 456789a\u001b[K",
    "\r\u001b[2K\u001b[?25h",
    "news\n",
  ]);
});

test("a terminal's line is left alone when its text is the same", () => {
  const io = fakeIo({ terminal: true });
  const line = new StatusLine(io.err, 1000, () => nowMs);
  nowMs = 100;
  line.update(() => "same");
  const drawn = io.output.err;
  nowMs = 200;
  line.update(() => "same");
  expect(io.output.err).toBe(drawn);
});
