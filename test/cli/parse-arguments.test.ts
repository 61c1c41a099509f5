import { describe, expect, test } from "bun:test";
import type { Command } from "../../src/cli/command.ts";
import { OptionValues } from "../../src/cli/option-values.ts";
import { parseArguments } from "../../src/cli/parse-arguments.ts";

const command: Command = {
  name: "try",
  summary: "",
  usage: "<file>",
  positionals: 1,
  options: [
    { name: "topic", value: "T", help: "" },
    { name: "count", value: "N", help: "" },
    { name: "json", help: "" },
  ],
  run: () => Promise.resolve(0),
};

describe("parseArguments()", () => {
  test("reads values, flags and positionals in any order", () => {
    const args = parseArguments(command, ["--topic", "a", "file", "--json", "--count=3"]);
    expect(args.text("topic")).toBe("a");
    expect(args.text("count")).toBe("3");
    expect(args.flag("json")).toBe(true);
    expect(args.flag("help")).toBe(false);
    expect([...args.positionals]).toEqual(["file"]);
  });

  test("knows -h and -v", () => {
    expect(parseArguments(command, ["-h"]).flag("help")).toBe(true);
    expect(parseArguments(command, ["-v"]).flag("version")).toBe(true);
  });

  test.each([
    [["--nope"], 'Cannot try as options are listed by "headrace try --help": received --nope'],
    [["-x"], 'Cannot try as options are listed by "headrace try --help": received -x'],
    [["--topic"], "Cannot try as --topic needs a value: received nothing"],
    [["--topic="], "Cannot try as --topic needs a value: received nothing"],
    [["--topic", "--json"], "Cannot try as --topic needs a value: received --json"],
    [["--json=yes"], 'Cannot try as --json takes no value: received "yes"'],
    [["--json", "--json"], "Cannot try as --json may be given once: received two"],
    [["a", "b"], 'Cannot try as the call is "headrace try <file>": received "b"'],
  ])("refuses %j", (argv, message) => {
    expect(() => parseArguments(command, argv)).toThrow(message);
  });
});

describe("OptionValues", () => {
  const values = (...argv: string[]): OptionValues =>
    new OptionValues("try", parseArguments(command, argv));

  test("integer() takes whole numbers inside the limits", () => {
    expect(values("--count", "1").integer("count", 1, 10)).toBe(1);
    expect(values("--count", "10").integer("count", 1, 10)).toBe(10);
    expect(values().integer("count", 1, 10)).toBe(undefined);
  });

  test.each(["0", "11", "-3", "1.5", "1e1", "ten", "0x1", " 1", "Infinity"])(
    "integer() refuses %j by option, rule and value",
    (text) => {
      const message = `Cannot try as --count must be a whole number from 1 to 10: received "${text}"`;
      expect(() => values(`--count=${text}`).integer("count", 1, 10)).toThrow(message);
    },
  );

  test("oneOf() and required() name the option", () => {
    expect(values("--topic", "b").oneOf("topic", ["a", "b"])).toBe("b");
    expect(() => values("--topic", "c").oneOf("topic", ["a", "b"])).toThrow(
      'Cannot try as --topic must be a or b: received "c"',
    );
    expect(() => values().required("topic")).toThrow(
      "Cannot try as --topic is required: received nothing",
    );
  });
});
