/** Names of a segment's files: its base offset in 20 digits, and what is in them. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

const NAME_DIGITS = 20;
const LOG_NAME = /^(\d{20})\.log$/;

/** Where the files of a partition are, in the directory of its topic. */
export function partitionDirectory(topicDirectory: string, partition: number): string {
  return join(topicDirectory, "partitions", String(partition));
}

/** Name of the `.log` file. */
export function segmentName(baseOffset: number): string {
  return `${String(baseOffset).padStart(NAME_DIGITS, "0")}.log`;
}

/** Base offset that a name says, or undefined for any other file. */
export function baseOffsetOf(name: string): number | undefined {
  const digits = LOG_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Base offsets of all segments in a partition's directory, ascending. */
export function listSegments(directory: string): number[] {
  const bases = readdirSync(directory).flatMap((name) => baseOffsetOf(name) ?? []);
  return bases.sort((a, b) => a - b);
}

/** Path of the offset index beside a `.log`. */
export function indexPath(logPath: string): string {
  return logPath.replace(/\.log$/, ".index");
}

/** Path of the time index beside a `.log`. */
export function timeIndexPath(logPath: string): string {
  return logPath.replace(/\.log$/, ".timeindex");
}
