/** Options of commands that print messages, and how they are read. */
import type { OptionSpec, ParsedArguments } from "../command.ts";
import { usageError } from "../command-error.ts";
import type { OptionValues } from "../option-values.ts";
import type { Position } from "./position.ts";
import type { RecordFormat } from "./record-text.ts";

/** What is printed, and how. */
export const PRINT_OPTIONS: readonly OptionSpec[] = [
  { name: "max-messages", value: "N", help: "stop after so many messages" },
  { name: "key-separator", value: "S", help: "print KEY S VALUE" },
  { name: "json", help: "print one JSON object per message" },
];

/** What a person may give as a position. */
export const POSITION_NOTES: readonly string[] = [
  "P is earliest, latest, an offset, -N (N messages before the end), a time such as",
  "2030-01-31T12:00 (local; with Z: UTC) or an age such as 90s, 15m, 2h, 1d. A time means the first",
  "message that was appended then or later.",
];

/** Most messages to print; Infinity when nobody says so. */
export function maxMessagesOf(values: OptionValues): number {
  return values.integer("max-messages", 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY;
}

/** How messages are printed. */
export function formatOf(act: string, args: ParsedArguments): RecordFormat {
  const json = args.flag("json");
  const keySeparator = args.text("key-separator");
  if (json && keySeparator !== undefined) {
    throw usageError(`Cannot ${act} as --json prints keys itself: received --key-separator`);
  }
  return { json, keySeparator };
}

/**
 * Offsets of a position differ between partitions, so a plain offset needs one partition.
 *
 * @throws {CommandError}
 */
export function checkOffsets(
  act: string,
  topic: string,
  partitions: number,
  positions: Readonly<Record<string, Position>>,
): void {
  for (const [name, { kind }] of Object.entries(positions)) {
    if (kind !== "offset" || partitions === 1) continue;
    throw usageError(
      `Cannot ${act} as ${name} with an offset needs --partition: ` +
        `received ${topic} with ${partitions} partitions`,
    );
  }
}
