import type { Io } from "./io.ts";

/** One option of a command. */
export interface OptionSpec {
  /** Without the dashes, kebab case. */
  readonly name: string;
  /** Placeholder of the value in the help text; absent: a flag. */
  readonly value?: string;
  /** One sentence without a period. */
  readonly help: string;
}

/** Arguments after parsing: option names in kebab case. */
export interface ParsedArguments {
  readonly positionals: readonly string[];
  /** The text of an option, or undefined when it was not given. */
  text(name: string): string | undefined;
  flag(name: string): boolean;
}

/** One subcommand. */
export interface Command {
  /** As it is called after "headrace": "run", "log read". */
  readonly name: string;
  /** What errors say after "Cannot"; default: the name. */
  readonly act?: string;
  /** One sentence for the list of commands. */
  readonly summary: string;
  /** After "headrace <name>", as the first help line shows it. */
  readonly usage: string;
  /** Most positional arguments. */
  readonly positionals: number;
  readonly options: readonly OptionSpec[];
  /** More help, below the options. */
  readonly notes?: readonly string[];
  /** Not listed in the help: headrace calls it itself. */
  readonly hidden?: boolean;
  /** @returns The exit code. */
  run(args: ParsedArguments, io: Io): Promise<number>;
}

/** Commands under one word: "headrace log read". */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly Command[];
  /** More help, below the commands. */
  readonly notes?: readonly string[];
  readonly hidden?: boolean;
}

/** The verb of a command, as errors say it. */
export function actOf(command: Pick<Command, "name" | "act">): string {
  return command.act ?? command.name;
}
