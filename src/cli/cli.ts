import type { Command } from "./command.ts";
import {
  CommandError,
  EXIT_FAILED,
  EXIT_USAGE,
  explainError,
  usageError,
} from "./command-error.ts";
import { demo } from "./demo.ts";
import { demoChild } from "./demo-child.ts";
import { commandHelp, programHelp } from "./help.ts";
import type { Io } from "./io.ts";
import { parseArguments } from "./parse-arguments.ts";
import { run } from "./run.ts";
import { version } from "./version.ts";

/** Every subcommand, in the order of the help. */
const COMMANDS: readonly Command[] = [demo, run, demoChild];

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
  const command = COMMANDS.find((one) => one.name === name);
  if (command === undefined) {
    const known = COMMANDS.filter((one) => !one.hidden).map((one) => one.name);
    throw usageError(`Cannot start as the commands are ${known.join(" and ")}: received "${name}"`);
  }
  const args = parseArguments(command, rest);
  if (args.flag("version")) return printVersion(io);
  if (args.flag("help")) {
    io.out.write(commandHelp(command));
    return 0;
  }
  return await command.run(args, io);
}

function printVersion(io: Io): number {
  io.out.write(`${version()}\n`);
  return 0;
}
