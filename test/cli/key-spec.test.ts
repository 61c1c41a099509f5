import { expect, test } from "bun:test";
import { keySpec } from "../../src/cli/key-spec.ts";
import type { Message } from "../../src/index.ts";

/** A message of which only the value is looked at. */
function withValue(value: unknown): Message {
  return { json: () => value } as unknown as Message;
}

test.each([
  ["json:id", { id: "a" }, "a"],
  ["json:a.b.c", { a: { b: { c: 7 } } }, 7],
  ["json:a.0", { a: ["x"] }, "x"],
  ["json:id", {}, undefined],
  ["json:a.b", { a: null }, null],
  ["json:a.b", { a: "text" }, null],
  ["json:id", null, null],
])("keySpec(%j) of %j gives %j", (spec, value, key) => {
  expect(keySpec(spec)(withValue(value))).toBe(key);
});

test.each(["", "value", "header", "header:", "json:", "json:a..b", "KEY", "key:x"])(
  "keySpec() refuses %j",
  (spec) => {
    const message = `--key must be key, header:NAME or json:PATH: received "${spec}"`;
    expect(() => keySpec(spec)).toThrow(message);
  },
);
