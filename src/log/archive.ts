import { Buffer } from "node:buffer";
import { copyFile, type FileHandle, link, mkdir, open, rename, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { LogError } from "../errors.ts";
import { errorCode, syncDirectory, TEMPORARY } from "./files.ts";
import type { ArchiveCallback, ArchivedSegment } from "./topic-options.ts";

const COMPARE_BYTES: number = 1 << 20;

/**
 * Hands a segment to the archive; it may be removed from the log when this resolves. It may come
 * again when the process dies in between.
 *
 * In a directory it is `<topic directory>/<partition>/<base offset>.log`. Nothing there is ever overwritten.
 *
 * @param topicDirectory Directory of the topic in the log; its name tells topics apart.
 * @throws What the function throws, or what the file system says.
 */
export async function archiveSegment(
  archive: string | ArchiveCallback,
  segment: ArchivedSegment,
  topicDirectory: string,
): Promise<void> {
  if (typeof archive === "function") {
    await archive(segment);
    return;
  }
  const names = [basename(topicDirectory), String(segment.partition), basename(segment.file)];
  await keepFile(segment.file, join(archive, ...names));
}

/**
 * Gives a file a second, complete and durable place. A second name for the same bytes costs nothing, and
 * unlike a rename it leaves no moment at which a crash could find the segment neither here nor there.
 * Where that is not possible (another file system) it is copied.
 *
 * @param linkFile Other than `link()` in tests.
 * @throws {LogError} When another file is at the place already.
 */
export async function keepFile(
  from: string,
  to: string,
  linkFile: typeof link = link,
): Promise<void> {
  await makeDirectory(dirname(to));
  if (!(await isKept(from, to))) await place(from, to, linkFile);
  syncDirectory(dirname(to));
}

/** Makes a directory, and the names of all that had to be made durable. */
async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  const above = dirname(resolve(first));
  for (let made = resolve(path); made !== above; made = dirname(made)) syncDirectory(dirname(made));
}

async function place(from: string, to: string, linkFile: typeof link): Promise<void> {
  try {
    await linkFile(from, to);
  } catch (error) {
    // Whatever the reason, a copy says best what is wrong, if anything is.
    if (errorCode(error) === "ENOENT") throw error;
    await copyDurably(from, to);
  }
}

async function copyDurably(from: string, to: string): Promise<void> {
  const temporary = to + TEMPORARY;
  await copyFile(from, temporary);
  const file = await open(temporary, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, to);
}

/** A try before this one came so far, and no further. */
async function isKept(from: string, to: string): Promise<boolean> {
  const [here, there] = await Promise.all([stat(from), statIfThere(to)]);
  if (there === undefined) return false;
  if (here.dev === there.dev && here.ino === there.ino) return true;
  if (here.size === there.size && (await sameBytes(from, to))) return true;
  throw new LogError(`Cannot archive ${from} as its place must be free: received another ${to}`);
}

async function statIfThere(path: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function sameBytes(one: string, other: string): Promise<boolean> {
  const files: FileHandle[] = [];
  try {
    for (const path of [one, other]) files.push(await open(path, "r"));
    const chunks = files.map(() => Buffer.allocUnsafe(COMPARE_BYTES));
    for (let at = 0; ; ) {
      const got = await Promise.all(
        files.map(
          async (file, index) => (await file.read(chunks[index]!, 0, COMPARE_BYTES, at)).bytesRead,
        ),
      );
      const length = Math.min(...got);
      if (!chunks[0]!.subarray(0, length).equals(chunks[1]!.subarray(0, length))) return false;
      if (length === 0) return true;
      at += length;
    }
  } finally {
    for (const file of files) await file.close();
  }
}
