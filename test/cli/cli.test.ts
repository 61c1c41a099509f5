import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { main } from "../../src/cli/cli.ts";
import { fakeIo } from "./fake-io.ts";

const packageVersion: string = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
).version;

/** One line, with headrace's name before it. */
const ONE_LINE = /^headrace: [^\n]+\n$/;

describe("main()", () => {
  test.each(["--help", "-h", "help"])("prints the commands for %s", async (flag) => {
    const io = fakeIo();
    expect(await main([flag], io)).toBe(0);
    expect(io.output.out).toContain("Usage: headrace <command>");
    expect(io.output.out).toContain("demo");
    expect(io.output.out).not.toContain("demo-child");
    expect(io.output.err).toBe("");
  });

  test.each(["--version", "-v"])("prints the package's version for %s", async (flag) => {
    const io = fakeIo();
    expect(await main([flag], io)).toBe(0);
    expect(io.output.out).toBe(`${packageVersion}\n`);
  });

  test.each(["demo", "run", "log create", "log append", "log read"])(
    "%s has --help and --version, whatever else is given",
    async (name) => {
      const help = fakeIo();
      expect(await main([...name.split(" "), "--help"], help)).toBe(0);
      expect(help.output.out).toContain(`Usage: headrace ${name}`);
      const shown = fakeIo();
      expect(await main([...name.split(" "), "--version"], shown)).toBe(0);
      expect(shown.output.out).toBe(`${packageVersion}\n`);
    },
  );

  test("prints the help on stderr and fails without a command", async () => {
    const io = fakeIo();
    expect(await main([], io)).toBe(2);
    expect(io.output.err).toContain("Usage: headrace <command>");
    expect(io.output.out).toBe("");
  });

  test.each(["--help", "-h", "help"])("log prints its commands for %s", async (flag) => {
    const io = fakeIo();
    expect(await main(["log", flag], io)).toBe(0);
    expect(io.output.out).toContain("Usage: headrace log <command>");
    expect(io.output.out).toContain("\n  append ");
    const version = fakeIo();
    expect(await main(["log", "--version"], version)).toBe(0);
    expect(version.output.out).toBe(`${packageVersion}\n`);
  });

  test("log prints its commands on stderr and fails without one", async () => {
    const io = fakeIo();
    expect(await main(["log"], io)).toBe(2);
    expect(io.output.err).toContain("Usage: headrace log <command>");
    expect(io.output.out).toBe("");
  });

  test.each([
    [["nope"], "Cannot start as the commands are demo, run, log, segments, "],
    [["log", "nope"], "Cannot start log as the commands are create, append"],
    [["log", "read", "--nope"], 'by "headrace log read --help": received --nope'],
    [["demo", "--nope"], "received --nope"],
    [["demo", "extra"], 'Cannot demo as the call is "headrace demo [--messages'],
    [["demo", "--messages", "0"], "--messages must be a whole number from 1 to 1000000"],
    [
      ["demo", "--keys", "many"],
      '--keys must be a whole number from 1 to 1000000: received "many"',
    ],
    [["run"], "Cannot run as a module is required: received none"],
    [["run", "m.mjs"], "Cannot run as --topic is required: received nothing"],
    [["run", "m.mjs", "--topic", "t"], "Cannot run as --group is required: received nothing"],
    [["run", "m.mjs", "--topic", "--group", "g"], "--topic needs a value: received --group"],
  ])("%j is one line on stderr and exit code 2", async (argv, message) => {
    const io = fakeIo();
    expect(await main(argv, io)).toBe(2);
    expect(io.output.err).toMatch(ONE_LINE);
    expect(io.output.err).toContain(message);
    expect(io.output.out).toBe("");
  });

  test("adds the stack trace when HEADRACE_DEBUG is set", async () => {
    const io = fakeIo({ env: { HEADRACE_DEBUG: "1" } });
    expect(await main(["nope"], io)).toBe(2);
    expect(io.output.err).toContain("\n    at ");
  });
});
