import { accessSync, constants, existsSync, mkdirSync, readdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError, LogError } from "../errors.ts";
import { TEMPORARY } from "./files.ts";
import { STORE_FILE } from "./store-json.ts";

/**
 * Makes the directory of a log if it is missing, and checks that it is one or can become one: a
 * mistaken path must not scatter files among those of others. Nothing is changed in one that is not.
 *
 * @returns Its real path.
 * @throws {LogError} For a path that is no directory, one that cannot be written to, or one that
 * holds other things.
 * @throws {CorruptLogError} For a log whose `store.json` is gone.
 */
export function claimDirectory(directory: string): string {
  let root: string;
  try {
    mkdirSync(directory, { recursive: true });
    root = realpathSync(directory);
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const rule = "Cannot open the log as it must be in a directory that can be written to";
    throw new LogError(`${rule}: received ${directory} (${String(cause)})`, { cause });
  }
  checkContents(root);
  return root;
}

function checkContents(root: string): void {
  if (existsSync(join(root, STORE_FILE))) return;
  // What is left when the very first open of a log is broken off.
  const isOurs = (name: string): boolean => /^LOCK(\.|$)/.test(name) || name.endsWith(TEMPORARY);
  const others = readdirSync(root)
    .filter((name) => !isOurs(name))
    .sort();
  const topics = others.includes("topics") ? readdirSync(join(root, "topics")) : [];
  const foreign = others.find((name) => name !== "topics");
  if (foreign !== undefined) {
    const rule = "Cannot open the log as its directory must be empty or hold a log";
    throw new LogError(`${rule}: received ${foreign} in ${root}`);
  }
  if (topics.length === 0) return;
  const rule = `Cannot open the log as its ${STORE_FILE} must be there`;
  throw new CorruptLogError(`${rule}: received topics without it in ${root}`);
}
