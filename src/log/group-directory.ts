/**
 * Directories of groups, one per group and topic: `<hash of the name>-<readable part>`, so that
 * processes that make different groups at once never meet, and those that make the same one find
 * out. The true name is in `group.json`.
 */
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { syncDirectory, TEMPORARY } from "./files.ts";
import { slugOf, writeJson } from "./named-directory.ts";

/** Holds the group's name. */
export const GROUP_FILE = "group.json";
const HASH_DIGITS = 16;

/** Where a group's files are in a topic, whether they exist or not. */
export function groupDirectory(groups: string, groupId: string): string {
  const hash = createHash("sha256").update(groupId).digest("hex").slice(0, HASH_DIGITS);
  return join(groups, `${hash}-${slugOf(groupId)}`);
}

/** The lock of whoever runs the group. */
export function groupLockPath(groups: string, groupId: string): string {
  return join(groupDirectory(groups, groupId), "LOCK");
}

/** Makes the group's directory unless it is there. It appears only when it is complete. */
export function ensureGroupDirectory(groups: string, groupId: string): string {
  const path = groupDirectory(groups, groupId);
  if (existsSync(join(path, GROUP_FILE))) return path;
  mkdirSync(groups, { recursive: true });
  const own = `${path}.${randomUUID()}${TEMPORARY}`;
  mkdirSync(own);
  try {
    writeJson(join(own, GROUP_FILE), { name: groupId });
    renameSync(own, path);
  } catch (error) {
    rmSync(own, { recursive: true, force: true });
    // Another process was faster: a directory that holds something is never replaced.
    if (!existsSync(join(path, GROUP_FILE))) throw error;
  }
  syncDirectory(groups);
  return path;
}
