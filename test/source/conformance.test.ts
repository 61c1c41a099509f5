import { describe, test } from "bun:test";
import { sourceCases } from "../../src/source/conformance.ts";
import { memoryHarness } from "./memory-harness.ts";

describe("memorySource conforms", () => {
  for (const { name, run } of sourceCases) test(name, () => run(memoryHarness()));
});
