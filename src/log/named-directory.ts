/**
 * Directories of topics and groups: a number and a readable part. The true name lives in a JSON
 * file inside, free of any file system's rules.
 */
import { Buffer } from "node:buffer";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { CorruptLogError } from "../errors.ts";
import { errorCode, readIfThere, replaceFile, syncDirectory, TEMPORARY } from "./files.ts";

const SLUG_LENGTH = 40;

/** Path and JSON of one directory. */
export interface NamedDirectory {
  readonly path: string;
  readonly json: Readonly<Record<string, unknown>> & { readonly name: string };
}

/**
 * Makes `<id>-<slug>` with its JSON file. It appears under its name only when it is complete.
 *
 * @param make Puts more into it first.
 */
export function createNamedDirectory(
  parent: string,
  file: string,
  json: NamedDirectory["json"],
  make: (path: string) => void = () => {},
): string {
  const ids = readdirSync(parent).map(idOf);
  const path = join(parent, `${Math.max(0, ...ids) + 1}-${slugOf(json.name)}`);
  mkdirSync(path + TEMPORARY);
  writeJson(join(path + TEMPORARY, file), json);
  make(path + TEMPORARY);
  renameSync(path + TEMPORARY, path);
  syncDirectory(parent);
  return path;
}

/** Removes a directory: away as a whole first, so that nobody finds half of it. */
export function removeNamedDirectory(path: string): void {
  const gone = `${path}.removed${TEMPORARY}`;
  rmSync(gone, { recursive: true, force: true });
  renameSync(path, gone);
  syncDirectory(dirname(path));
  rmSync(gone, { recursive: true });
}

/** The readable part of a directory's name. */
export function slugOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, SLUG_LENGTH);
}

/**
 * All directories of a parent, oldest first; none when it does not exist. Changes nothing, and what
 * comes and goes meanwhile is no error: another process may be writing.
 *
 * @throws {CorruptLogError} When one has no readable name.
 */
export function listNamedDirectories(parent: string, file: string): NamedDirectory[] {
  const entries = namesIn(parent).filter((entry) => !entry.endsWith(TEMPORARY));
  return entries
    .sort((a, b) => idOf(a) - idOf(b))
    .flatMap((entry) => {
      const path = join(parent, entry);
      const json = readNamedJson(join(path, file));
      return json === undefined ? [] : [{ path, json }];
    });
}

/**
 * Removes what a crash left half made or half removed.
 *
 * @param olderThanMs Spares what other processes may be making.
 */
export function sweepTemporary(parent: string, olderThanMs = 0): void {
  for (const entry of namesIn(parent)) {
    const path = join(parent, entry);
    if (!entry.endsWith(TEMPORARY)) continue;
    const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (olderThanMs > 0 && Date.now() - changedMs < olderThanMs) continue;
    rmSync(path, { recursive: true, force: true });
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

function idOf(entry: string): number {
  return Number.parseInt(entry, 10) || 0;
}

/** Replaces a JSON file. */
export function writeJson(path: string, json: object): void {
  replaceFile(path, Buffer.from(`${JSON.stringify(json, null, 2)}\n`));
}

/** undefined when the directory has gone. */
function readNamedJson(path: string): NamedDirectory["json"] | undefined {
  const text = readIfThere(path)?.toString() ?? "nothing";
  if (text === "nothing" && !existsSync(dirname(path))) return undefined;
  try {
    const json = JSON.parse(text) as NamedDirectory["json"];
    if (typeof json.name === "string") return json;
  } catch {
    // Reported below, with the path.
  }
  throw new CorruptLogError(
    "Cannot open the log as each topic and group must have its name: " +
      `received ${text.slice(0, 80)} in ${path}`,
  );
}
