/**
 * Directories of topics and groups: a number and a readable part. The true name lives in a JSON
 * file inside, free of any file system's rules.
 */
import { Buffer } from "node:buffer";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError } from "../errors.ts";
import { readIfThere, replaceFile, syncDirectory, TEMPORARY } from "./files.ts";

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
  const slug = json.name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, SLUG_LENGTH);
  const path = join(parent, `${Math.max(0, ...ids) + 1}-${slug}`);
  mkdirSync(path + TEMPORARY);
  writeJson(join(path + TEMPORARY, file), json);
  make(path + TEMPORARY);
  renameSync(path + TEMPORARY, path);
  syncDirectory(parent);
  return path;
}

/**
 * All directories of a parent, oldest first; what a crash left half made is removed.
 *
 * @throws {CorruptLogError} When one has no readable name.
 */
export function listNamedDirectories(parent: string, file: string): NamedDirectory[] {
  mkdirSync(parent, { recursive: true });
  const entries = readdirSync(parent).sort((a, b) => idOf(a) - idOf(b));
  return entries.flatMap((entry) => {
    const path = join(parent, entry);
    if (entry.endsWith(TEMPORARY)) {
      rmSync(path, { recursive: true });
      return [];
    }
    return [{ path, json: readNamedJson(join(path, file)) }];
  });
}

function idOf(entry: string): number {
  return Number.parseInt(entry, 10) || 0;
}

/** Replaces a JSON file. */
export function writeJson(path: string, json: object): void {
  replaceFile(path, Buffer.from(`${JSON.stringify(json, null, 2)}\n`));
}

function readNamedJson(path: string): NamedDirectory["json"] {
  const text = readIfThere(path)?.toString() ?? "nothing";
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
