import { describe, expect, test } from "bun:test";
import { OffsetTexts } from "../../src/mark/offset-texts.ts";

describe("OffsetTexts", () => {
  test("O7: current: the latest text given, whatever its offset and the commit's", () => {
    const texts = new OffsetTexts(false, "read");
    expect(texts.at(0)).toBe("read");
    texts.attach(9, "of 9");
    texts.attach(3, "of 3");
    expect([texts.at(0), texts.at(100)]).toEqual(["of 3", "of 3"]);
  });

  test("O7: exact: the text attached to the highest message below the commit; else what was read", () => {
    const texts = new OffsetTexts(true, "read");
    texts.attach(5, "of 5");
    texts.attach(2, "of 2");
    texts.attach(8, "of 8");
    texts.attach(2, "again of 2");
    expect([0, 2, 3, 5, 6, 8, 9].map((offset) => texts.at(offset))).toEqual([
      "read",
      "read",
      "again of 2",
      "again of 2",
      "of 5",
      "of 5",
      "of 8",
    ]);
    expect(texts.at(1000)).toBe("of 8");
  });

  test("O7: exact: of more than 10,000 texts that are not committed yet the lowest are forgotten", () => {
    const texts = new OffsetTexts(true, null);
    for (let offset = 0; offset < 10_001; offset++) texts.attach(offset, `of ${offset}`);
    expect(texts.at(1)).toBeNull();
    expect(texts.at(2)).toBe("of 1");
    expect(texts.at(20_000)).toBe("of 10000");
  });
});
