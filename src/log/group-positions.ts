import { readdirSync } from "node:fs";
import { join } from "node:path";
import { errorCode, readIfThere, TEMPORARY } from "./files.ts";
import { GROUP_FILE } from "./group-directory.ts";
import { offsetFile, readOffset } from "./group-slot.ts";
import type { GroupPosition } from "./retention-plan.ts";

/**
 * What all groups of a topic have committed, as it stands on the disk now: groups may live in other
 * processes. Time of a commit is when its file was changed.
 *
 * What cannot be read is taken for offset 0, committed now: what a group may still need stays.
 *
 * @param directory `groups` of the topic.
 * @param partitions Whose positions are wanted.
 */
export function readGroupPositions(
  directory: string,
  partitions: readonly number[],
  nowMs: number,
): GroupPosition[] {
  let entries: string[];
  try {
    entries = readdirSync(directory).filter((entry) => !entry.endsWith(TEMPORARY));
  } catch (error) {
    // Nobody has ever committed.
    if (errorCode(error) === "ENOENT") return [];
    const groupId = `any of ${directory} (${errorCode(error)})`;
    return partitions.map((partition) => ({ groupId, partition, offset: 0, committedAtMs: nowMs }));
  }
  return entries.flatMap((entry) => {
    const path = join(directory, entry);
    const groupId = groupName(path) ?? entry;
    return partitions.flatMap((partition) => {
      const position = positionIn(join(path, offsetFile(partition)), nowMs);
      return position === undefined ? [] : [{ groupId, partition, ...position }];
    });
  });
}

function groupName(path: string): string | undefined {
  try {
    const { name } = JSON.parse(String(readIfThere(join(path, GROUP_FILE))));
    return typeof name === "string" ? name : undefined;
  } catch {
    // Its directory names it too.
    return undefined;
  }
}

function positionIn(
  path: string,
  nowMs: number,
): Pick<GroupPosition, "offset" | "committedAtMs"> | undefined {
  try {
    const found = readOffset(path);
    return found && { offset: found.value.offset, committedAtMs: found.storedMs };
  } catch (error) {
    // The group was deleted between the two looks at it.
    if (errorCode(error) === "ENOENT") return undefined;
    if (errorCode(error) === undefined) throw error;
    return { offset: 0, committedAtMs: nowMs };
  }
}
