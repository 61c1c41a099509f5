/** Breaks off while it loads, with a test declared before. */
import { test } from "bun:test";

test("may or may not run", () => {});
throw new Error("on purpose");
