/** 2 pass and 8 are left out; a test that runs in spite of that fails. */
import { beforeEach, describe, test } from "bun:test";

const wrong = (): never => {
  throw new Error("must not run");
};

test("passes", () => {});
test.skip("skip", wrong);
test.todo("todo");
test.skipIf(true)("skipIf(true)", wrong);
test.if(false)("if(false)", wrong);
test.skip.each([1])("skip.each %d", wrong);

describe.skip("describe.skip", () => {
  test("inside", wrong);
  describe("nested", () => {
    beforeEach(wrong);
    test("inside", wrong);
  });
});

describe.skipIf(true)("describe.skipIf(true)", () => {
  test("inside", wrong);
});

describe("after them", () => {
  test("passes", () => {});
});
