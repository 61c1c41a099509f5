import { expect, test } from "bun:test";
import { guardConsole } from "../../../src/cli/run/guard-console.ts";

test("guardConsole() calls first what it is given, then the console, until it is undone", () => {
  const calls: string[] = [];
  const original = console.log;
  console.log = (...values: unknown[]) => void calls.push(values.join(" "));
  const undo = guardConsole(() => void calls.push("cleared"));
  console.log("a", 1);
  undo();
  console.log("b");
  console.log = original;
  expect(calls).toEqual(["cleared", "a 1", "b"]);
});
