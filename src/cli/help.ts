import type { Command, OptionSpec } from "./command.ts";

const COMMON: readonly OptionSpec[] = [
  { name: "help", help: "show this text" },
  { name: "version", help: "show the version" },
];

/** Help of the whole program. */
export function programHelp(commands: readonly Command[]): string {
  const listed = commands.filter((command) => !command.hidden);
  const width = Math.max(...listed.map((command) => command.name.length)) + 3;
  return [
    "headrace: processes the messages of one Kafka partition in parallel, in key order",
    "",
    "Usage: headrace <command> [options]",
    "",
    "Commands:",
    ...listed.map((command) => `  ${command.name.padEnd(width)}${command.summary}`),
    "",
    'Options of a command: "headrace <command> --help". Version: "headrace --version".',
    "Exit codes: 0 done, 1 failed while running, 2 called in a wrong way, 130 or 143 left by a signal.",
    "HEADRACE_DEBUG=1 adds stack traces to errors, NO_COLOR=1 removes colours.",
    "",
  ].join("\n");
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
