import { readdirSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "./files.ts";
import { type FoundOffset, offsetFilePartition, readOffset } from "./group-slot.ts";

/**
 * All offsets in a group's directory, by partition; none when it does not exist.
 *
 * @throws {CorruptLogError} When both slots of one are damaged.
 */
export function readGroup(directory: string): Map<number, FoundOffset> {
  const offsets = new Map<number, FoundOffset>();
  for (const name of listDirectory(directory)) {
    const partition = offsetFilePartition(name);
    const found = partition === undefined ? undefined : readOffset(join(directory, name));
    if (found !== undefined) offsets.set(partition!, found);
  }
  return offsets;
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
