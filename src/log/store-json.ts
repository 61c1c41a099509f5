import { Buffer } from "node:buffer";
import { join } from "node:path";
import { CorruptLogError, LogError } from "../errors.ts";
import { readIfThere } from "./files.ts";

/** The format that this version reads and writes. */
export const FORMAT_VERSION = 1;
/** Name of the file that makes a directory a log. */
export const STORE_FILE = "store.json";

/** `store.json`. */
export interface StoreJson {
  readonly format: number;
  readonly storeId: string;
  /** Of the newest writer. */
  readonly writerEpoch: number;
}

/**
 * What `store.json` says, or undefined when there is none.
 *
 * @throws {CorruptLogError} When it cannot be read.
 */
export function readStoreJson(root: string): StoreJson | undefined {
  const path = join(root, STORE_FILE);
  const text = (readIfThere(path) ?? Buffer.alloc(0)).toString();
  if (text === "") return undefined;
  try {
    const json = JSON.parse(text) as StoreJson;
    if (Number.isInteger(json.writerEpoch)) return json;
  } catch {
    // Reported below, with the path.
  }
  throw new CorruptLogError(
    "Cannot open the log as store.json must name format and epoch: " +
      `received ${text.slice(0, 80)} in ${path}`,
  );
}

/** @throws {LogError} For a format of another version. */
export function checkFormat({ format }: StoreJson): void {
  if (format === FORMAT_VERSION) return;
  throw new LogError(
    `Cannot open the log as its format must be ${FORMAT_VERSION}: received ${format}`,
  );
}
