/** 3 pass and 5 fail. */
import { describe, expect, test } from "bun:test";

test("passes", () => {});
test("fails by a check", () => {
  expect(1).toBe(2);
});
describe("nested", () => {
  test("passes", () => {});
  test("fails by a rejection", async () => {
    throw new Error("on purpose");
  });
  test("fails by time", () => new Promise<void>(() => {}), 50);
});
test("fails by done(error)", (done) => {
  done(new Error("on purpose"));
});
test("fails by a rejection that nobody awaits", () => {
  Promise.reject(new Error("on purpose"));
});
test("passes after it", () => {});
