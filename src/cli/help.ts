import type { Command, CommandGroup, OptionSpec } from "./command.ts";

const COMMON: readonly OptionSpec[] = [
  { name: "help", help: "show this text" },
  { name: "version", help: "show the version" },
];

const FOOTER: readonly string[] = [
  "Exit codes: 0 done, 1 failed while running, 2 called in a wrong way, 130 or 143 left by a signal.",
  "HEADRACE_DEBUG=1 adds stack traces to errors, NO_COLOR=1 removes colours.",
  "",
];

/** Help of the whole program. */
export function programHelp(commands: readonly (Command | CommandGroup)[]): string {
  return [
    "headrace: processes the messages of one Kafka partition in parallel, in key order",
    "",
    "Usage: headrace <command> [options]",
    "",
    "Commands:",
    ...summaries(commands),
    "",
    'Options of a command: "headrace <command> --help". Version: "headrace --version".',
    ...FOOTER,
  ].join("\n");
}

/** Help of a group of commands. */
export function groupHelp(group: CommandGroup): string {
  return [
    `Usage: headrace ${group.name} <command> [options]`,
    "",
    `${group.summary.charAt(0).toUpperCase()}${group.summary.slice(1)}.`,
    "",
    "Commands:",
    ...summaries(group.commands),
    "",
    ...(group.notes === undefined ? [] : [...group.notes, ""]),
    `Options of a command: "headrace ${group.name} <command> --help".`,
    ...FOOTER,
  ].join("\n");
}

/** One line per command: its last word and what it does. */
function summaries(commands: readonly (Command | CommandGroup)[]): string[] {
  const listed = commands.filter((command) => !command.hidden);
  const words = listed.map((command) => command.name.split(" ").at(-1)!);
  const width = Math.max(...words.map((word) => word.length)) + 3;
  return listed.map((command, index) => `  ${words[index]!.padEnd(width)}${command.summary}`);
}

/** Help of one command. */
export function commandHelp(command: Command): string {
  const options = [...command.options, ...COMMON];
  const heads = options.map(({ name, value }) => (value ? `--${name} ${value}` : `--${name}`));
  const width = Math.max(...heads.map((head) => head.length)) + 3;
  return [
    `Usage: headrace ${command.name} ${command.usage}`,
    "",
    `${command.summary.charAt(0).toUpperCase()}${command.summary.slice(1)}.`,
    "",
    "Options:",
    ...options.map((option, index) => `  ${heads[index]!.padEnd(width)}${option.help}`),
    ...(command.notes === undefined ? [] : ["", ...command.notes]),
    "",
  ].join("\n");
}
