import type { Log } from "../../adapters/log.ts";
import { CommandError, usageError } from "../command-error.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const FORMS = "earliest, latest, an offset, -N, a time like 2030-01-31T12:00 or an age like 15m";

/** A place in a partition, as a person names it. */
export type Position =
  | { readonly kind: "earliest" }
  | { readonly kind: "latest" }
  | { readonly kind: "offset"; readonly offset: number }
  /** So many messages before the end. */
  | { readonly kind: "last"; readonly count: number }
  /** The first message that was appended then or later. */
  | { readonly kind: "time"; readonly timestampMs: number };

/** What is asked about one partition. */
export interface PartitionBounds {
  readonly logStart: number;
  readonly logEnd: number;
}

/**
 * Reads a place: `earliest`, `latest`, an offset, `-N` (N messages before the end), a time in ISO
 * 8601 (local unless it names a zone), or an age such as `90s`, `15m`, `2h`, `1d`.
 *
 * @param act For errors: "Cannot <act> as …".
 * @param name The option, with its dashes.
 * @throws {CommandError} For anything else.
 */
export function parsePosition(act: string, name: string, text: string, nowMs: number): Position {
  if (text === "earliest" || text === "latest") return { kind: text };
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(Number(text))) {
    const number = Number(text);
    return text.startsWith("-")
      ? { kind: "last", count: -number }
      : { kind: "offset", offset: number };
  }
  const age = /^(\d+)(ms|s|m|h|d)$/.exec(text);
  if (age !== null) {
    return { kind: "time", timestampMs: nowMs - Number(age[1]) * UNIT_MS[age[2]!]! };
  }
  if (/^\d{4}-\d\d-\d\d/.test(text)) {
    // JavaScript takes a bare date as UTC and a date with a time as local; here both are local.
    const timestampMs = Date.parse(text.length === 10 ? `${text}T00:00` : text);
    if (!Number.isNaN(timestampMs)) return { kind: "time", timestampMs };
  }
  throw usageError(`Cannot ${act} as ${name} must be ${FORMS}: received "${text}"`);
}

/**
 * The offset that a place means in one partition.
 *
 * @returns From log start to log end; past the last message: log end.
 * @throws {CommandError} For an offset outside the partition.
 */
export async function offsetOf(
  log: Pick<Log, "offsetForTime">,
  at: { readonly act: string; readonly topic: string; readonly partition: number },
  position: Position,
  { logStart, logEnd }: PartitionBounds,
): Promise<number> {
  const { act, topic, partition } = at;
  switch (position.kind) {
    case "earliest":
      return logStart;
    case "latest":
      return logEnd;
    case "last":
      return Math.max(logStart, logEnd - position.count);
    case "time":
      return (await log.offsetForTime(topic, partition, position.timestampMs)) ?? logEnd;
    case "offset":
      if (position.offset >= logStart && position.offset <= logEnd) return position.offset;
      throw new CommandError(
        `Cannot ${act} as offsets of ${topic}#${partition} are ${logStart} to ${logEnd}: ` +
          `received ${position.offset}`,
      );
  }
}
