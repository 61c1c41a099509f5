import { Buffer } from "node:buffer";
import { join } from "node:path";
import { CorruptLogError } from "../errors.ts";
import { readIfThere, replaceFile } from "./files.ts";

/** Name of the file in a partition's directory. */
export const HOLES_FILE = "quarantine.json";

/** Offsets of a partition that are gone: their file was damaged and set aside. */
export interface Hole {
  /** First offset that is gone. */
  readonly from: number;
  /** First offset behind them. */
  readonly to: number;
  /** Name of the file that was set aside. */
  readonly file: string;
  /** What was wrong with it. */
  readonly reason: string;
}

/**
 * What is declared as gone, ascending; none when there is no such file. What is missing and not
 * declared is an error wherever it is read.
 *
 * @throws {CorruptLogError} When the file cannot be read.
 */
export function readHoles(directory: string): readonly Hole[] {
  const path = join(directory, HOLES_FILE);
  const bytes = readIfThere(path);
  if (bytes === undefined) return [];
  try {
    const { holes } = JSON.parse(bytes.toString()) as { holes: Hole[] };
    if (holes.every(isHole)) return holes;
  } catch {
    // Reported below, with the path.
  }
  throw new CorruptLogError(
    `Cannot read the log as ${HOLES_FILE} must name offsets that are gone: received ` +
      `${bytes.toString("utf8", 0, 80)} in ${path}`,
  );
}

/** Declares one more, before its file is set aside. Durable when it returns. */
export function declareHole(directory: string, hole: Hole): void {
  const others = readHoles(directory).filter(({ from }) => from !== hole.from);
  const holes = [...others, hole].sort((a, b) => a.from - b.from);
  replaceFile(join(directory, HOLES_FILE), Buffer.from(`${JSON.stringify({ holes }, null, 2)}\n`));
}

/** First offset behind the hole that the offset lies in, or undefined. */
export function holeEnd(directory: string, offset: number): number | undefined {
  return readHoles(directory).find(({ from, to }) => from <= offset && offset < to)?.to;
}

function isHole({ from, to }: Hole): boolean {
  return Number.isSafeInteger(from) && Number.isSafeInteger(to) && from < to;
}
