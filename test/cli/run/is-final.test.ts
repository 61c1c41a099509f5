import { describe, expect, test } from "bun:test";
import { CommandError, usageError } from "../../../src/cli/command-error.ts";
import { isFinal } from "../../../src/cli/run/is-final.ts";
import { CorruptLogError, LogError, SourceError, WorkerError } from "../../../src/index.ts";

const refused = Object.assign(new Error("Not authorized"), { type: "GROUP_AUTHORIZATION_FAILED" });
const full = Object.assign(new Error("EMFILE"), { code: "EMFILE", syscall: "open" });

describe("isFinal()", () => {
  test.each([
    ["a right that is missing", new SourceError("no", { cause: refused }), true],
    ["a corrupt log", new CorruptLogError("no"), true],
    [
      "an offset outside of the log",
      new SourceError("no", { code: "HEADRACE_OUT_OF_RANGE" }),
      true,
    ],
    ["a wrong call", usageError("no"), true],
    ["a broker that is away", new SourceError("no", { retriable: true }), false],
    [
      "what wraps something that may pass",
      new SourceError("no", { cause: new LogError("no", { retriable: true }) }),
      false,
    ],
    ["a failed system call", new SourceError("no", { cause: full }), false],
    ["no answer in time", new CommandError("no"), false],
    ["a thread that died", new WorkerError("no"), false],
    ["a bug", new TypeError("no"), false],
    ["no error at all", undefined, false],
  ])("%s", (_, error, final) => {
    expect(isFinal(error)).toBe(final);
  });
});
