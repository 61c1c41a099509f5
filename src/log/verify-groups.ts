import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { errorCode, readIfThere, TEMPORARY } from "./files.ts";
import { GROUP_FILE } from "./group-directory.ts";
import { GROUP_MAGIC, GROUP_SLOT_BYTES, offsetFilePartition } from "./group-slot.ts";
import { slotStates } from "./slots.ts";
import { descriptionProblem } from "./verify-description.ts";
import type { Damage } from "./verify-report.ts";

/** Slots that a group is writing look damaged for a moment. */
const LOOKS = 5;

/**
 * Checks the stored offsets of all groups of a topic. Reads only.
 *
 * @param root File names are given relative to it.
 * @param topicDirectory Holds `groups`.
 */
export function checkGroups(root: string, topicDirectory: string, topic: string): Damage[] {
  const groups = join(topicDirectory, "groups");
  const found = namesIn(groups).filter((name) => !name.endsWith(TEMPORARY));
  return found.flatMap((name) => {
    const directory = join(groups, name);
    const damages: Damage[] = [];
    const problem = descriptionProblem(join(directory, GROUP_FILE), []);
    if (problem !== undefined) {
      const file = relative(root, join(directory, GROUP_FILE));
      damages.push({ ...NOWHERE, kind: "description", file, topic, problem, loss: true });
    }
    for (const fileName of namesIn(directory)) {
      const partition = offsetFilePartition(fileName);
      if (partition === undefined) continue;
      const damage = checkOffset(join(directory, fileName));
      const file = relative(root, join(directory, fileName));
      if (damage !== undefined) damages.push({ ...damage, file, topic, partition });
    }
    return damages;
  });
}

const NOWHERE = {
  position: null,
  bytes: null,
  partition: null,
  firstOffset: null,
  endOffset: null,
} as const;

function checkOffset(path: string): Omit<Damage, "file" | "topic" | "partition"> | undefined {
  for (let look = 1; ; look++) {
    const bytes = readIfThere(path);
    const states = bytes === undefined ? [] : slotStates(bytes, GROUP_SLOT_BYTES, GROUP_MAGIC);
    const slot = states.indexOf("damaged");
    if (slot === -1) return undefined;
    if (look < LOOKS) continue;
    const loss = !states.includes("good");
    const problem = loss ? "no intact slot" : "a damaged slot; the other one counts";
    const position = slot * GROUP_SLOT_BYTES;
    const nowhere = { ...NOWHERE, position, bytes: GROUP_SLOT_BYTES };
    return { ...nowhere, kind: "group-offset", problem, loss };
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    const code = errorCode(error);
    // A file among the directories, or a group that is being removed.
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}
