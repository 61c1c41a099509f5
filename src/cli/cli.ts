import { analyze } from "./analyze.ts";
import type { Command, CommandGroup } from "./command.ts";
import {
  CommandError,
  EXIT_FAILED,
  EXIT_USAGE,
  explainError,
  usageError,
} from "./command-error.ts";
import { demo } from "./demo.ts";
import { demoChild } from "./demo-child.ts";
import { commandHelp, groupHelp, programHelp } from "./help.ts";
import type { Io } from "./io.ts";
import { log } from "./log.ts";
import { parseArguments } from "./parse-arguments.ts";
import { plan } from "./plan.ts";
import { run, runMember } from "./run.ts";
import { segments } from "./segments.ts";
import { version } from "./version.ts";

/** Every subcommand, in the order of the help. */
const COMMANDS: readonly (Command | CommandGroup)[] = [
  demo,
  run,
  log,
  segments,
  plan,
  analyze,
  demoChild,
  runMember,
];

/**
 * The `headrace` command: finds the subcommand, runs it, turns what it throws into one line on stderr.
 *
 * @param argv Arguments after the program's name.
 * @returns The exit code. Never rejects.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    io.err.write(`headrace: ${explainError(error)}\n`);
    if (io.env.HEADRACE_DEBUG && error instanceof Error) io.err.write(`${error.stack}\n`);
    return error instanceof CommandError ? error.exitCode : EXIT_FAILED;
  }
}

async function dispatch([name, ...rest]: readonly string[], io: Io): Promise<number> {
  if (name === undefined) {
    io.err.write(programHelp(COMMANDS));
    return EXIT_USAGE;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    io.out.write(programHelp(COMMANDS));
    return 0;
  }
  if (name === "--version" || name === "-v") return printVersion(io);
  const found = COMMANDS.find((one) => one.name === name) ?? unknown("start", COMMANDS, name);
  return "commands" in found ? await dispatchGroup(found, rest, io) : await start(found, rest, io);
}

async function dispatchGroup(
  group: CommandGroup,
  [name, ...rest]: readonly string[],
  io: Io,
): Promise<number> {
  if (name === undefined) {
    io.err.write(groupHelp(group));
    return EXIT_USAGE;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    io.out.write(groupHelp(group));
    return 0;
  }
  if (name === "--version" || name === "-v") return printVersion(io);
  const command =
    group.commands.find((one) => one.name === `${group.name} ${name}`) ??
    unknown(`start ${group.name}`, group.commands, name);
  return await start(command, rest, io);
}

async function start(command: Command, argv: readonly string[], io: Io): Promise<number> {
  const args = parseArguments(command, argv);
  if (args.flag("version")) return printVersion(io);
  if (args.flag("help")) {
    io.out.write(commandHelp(command));
    return 0;
  }
  return await command.run(args, io);
}

/** @throws {CommandError} Naming the commands that there are. */
function unknown(act: string, commands: readonly (Command | CommandGroup)[], name: string): never {
  const listed = commands.filter((one) => !one.hidden);
  const known = listed.map((one) => one.name.split(" ").at(-1));
  const names = `${known.slice(0, -1).join(", ")} and ${known.at(-1)}`;
  throw usageError(`Cannot ${act} as the commands are ${names}: received "${name}"`);
}

function printVersion(io: Io): number {
  io.out.write(`${version()}\n`);
  return 0;
}
