/** File operations that the log's rules ask for. */
import type { Buffer } from "node:buffer";
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import process from "node:process";

/** Ending of names that are swept when the log is opened. */
export const TEMPORARY = ".tmp";

/** Writes all bytes at the position; throws when the file system takes no more. */
export function writeFully(fd: number, bytes: Buffer, position: number): void {
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}

/** Fills `bytes` from the position as far as the file goes. @returns Bytes read. */
export function readFully(fd: number, bytes: Buffer, position: number): number {
  let done = 0;
  while (done < bytes.length) {
    const got = readSync(fd, bytes, done, bytes.length - done, position + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}

/** Makes names in a directory durable. Windows has no such call. */
export function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Replaces a file as a whole: a reader or a crash sees the old or the new one. */
export function replaceFile(path: string, bytes: Buffer): void {
  const temporary = path + TEMPORARY;
  const fd = openSync(temporary, "w");
  try {
    writeFully(fd, bytes, 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

/** The file's bytes, or undefined when it does not exist. */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The system's name for what went wrong, like "ENOENT". */
export function errorCode(error: unknown): string | undefined {
  return (error as { code?: string } | null)?.code;
}
