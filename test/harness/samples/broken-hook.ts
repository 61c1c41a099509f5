/** A hook throws: its tests must not count as passed. */
import { beforeAll, describe, test } from "bun:test";

describe("hook", () => {
  beforeAll(() => {
    throw new Error("on purpose");
  });
  test("does not pass", () => {});
});
