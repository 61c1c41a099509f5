import { describe, expect, test } from "bun:test";
import { keyText, percent } from "../../src/tools/report-text.ts";

describe("keyText()", () => {
  test.each([
    [{ key: "order-7" }, "`order-7`"],
    [{ key: "" }, "``"],
    [{ key: "a\u001b[31m\nb\u202e" }, "`a\\u{1b}[31m\\u{a}b\\u{202e}`"],
    [{ key: `a${"x".repeat(50)}bc` }, `\`a${"x".repeat(23)}…${"x".repeat(13)}bc\``],
    [{ key: "x".repeat(256), keyBytes: 900 }, `\`${"x".repeat(24)}…\``],
    [{ key: "😀".repeat(41) }, `\`${"😀".repeat(24)}…${"😀".repeat(15)}\``],
    [{ key: null, keyBase64: "/wCA" }, "0xff0080"],
  ])("of %j is %s", (key, text) => {
    expect(keyText(key)).toBe(text);
  });
});

test.each([
  [0, "0 %"],
  [0.00001, "below 0.01 %"],
  [0.00342, "0.34 %"],
  [0.0621, "6.2 %"],
  [0.62, "62 %"],
  [0.999, "99 %"],
  [1, "100 %"],
])("percent(%d) is %s", (share, text) => {
  expect(percent(share)).toBe(text);
});
