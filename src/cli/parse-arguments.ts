import { parseArgs } from "node:util";
import { actOf, type Command, type ParsedArguments } from "./command.ts";
import { usageError } from "./command-error.ts";

/** Options that every command has. */
const COMMON = ["help", "version"];

/**
 * Parses the arguments of one command.
 *
 * The tokens come from `node:util`; what they may be is checked here, so that every mistake is one sentence of ours.
 *
 * @throws {CommandError} Naming the option, the rule and what was received.
 */
export function parseArguments(command: Command, argv: readonly string[]): ParsedArguments {
  const cannot = `Cannot ${actOf(command)} as`;
  const valued = new Map(
    command.options.map((option) => [option.name, option.value !== undefined]),
  );
  for (const name of COMMON) valued.set(name, false);
  const { tokens } = parseArgs({
    args: [...argv],
    options: parserOptions(valued),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string | true>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    const takesValue = valued.get(name);
    if (takesValue === undefined) {
      const rule = `options are listed by "headrace ${command.name} --help"`;
      throw usageError(`${cannot} ${rule}: received ${rawName}`);
    }
    if (given.has(name)) throw usageError(`${cannot} ${rawName} may be given once: received two`);
    if (takesValue) checkValue(cannot, rawName, value, token.inlineValue === true);
    else if (value !== undefined) {
      throw usageError(`${cannot} ${rawName} takes no value: received "${value}"`);
    }
    given.set(name, value ?? true);
  }
  if (positionals.length > command.positionals) {
    const received = `received "${positionals[command.positionals]}"`;
    throw usageError(
      `${cannot} the call is "headrace ${command.name} ${command.usage}": ${received}`,
    );
  }
  return {
    positionals,
    text(name) {
      const value = given.get(name);
      return typeof value === "string" ? value : undefined;
    },
    flag: (name) => given.has(name),
  };
}

function parserOptions(
  valued: ReadonlyMap<string, boolean>,
): Record<string, { type: "string" | "boolean"; short?: string }> {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  for (const [name, takesValue] of valued) {
    options[name] = { type: takesValue ? "string" : "boolean" };
  }
  options.help = { type: "boolean", short: "h" };
  options.version = { type: "boolean", short: "v" };
  return options;
}

function checkValue(
  cannot: string,
  name: string,
  value: string | undefined,
  inline: boolean,
): void {
  // "--topic --group g" is a forgotten value, not a topic called "--group".
  const forgotten = value === undefined || (!inline && value.startsWith("--"));
  if (!forgotten && value !== "") return;
  throw usageError(`${cannot} ${name} needs a value: received ${value ? value : "nothing"}`);
}
