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
  readonly name: string;
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
