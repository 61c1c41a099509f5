/**
 * `onCorruption: "quarantine"`: a damaged segment is set aside under another name, what lies before
 * the damage is kept, and the offsets behind are declared as a hole (holes.ts), so that no offset
 * is given twice. No `.log` is ever deleted.
 *
 * ```
 * <base>.log  good | bad            <base>.log  good
 *                           ->      <base>.log.bad-<ms>  as it was
 *                                   quarantine.json      hole: from the bad batch to …
 *                                   <next>.log           … the next segment, made when there is none
 * ```
 */
import { Buffer } from "node:buffer";
import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readFully, syncDirectory, TEMPORARY, writeFully } from "./files.ts";
import type { HeadState } from "./head-file.ts";
import { declareHole } from "./holes.ts";
import type { DamageFacts } from "./partition-damage.ts";
import type { PartitionPlace } from "./partition-place.ts";
import { indexPath, listSegments, segmentName, timeIndexPath } from "./segment-names.ts";

const COPY_BYTES: number = 1 << 20;

/** Sets one damage aside, and tells it. @param head What `head` said. */
export function quarantine(
  place: PartitionPlace,
  head: HeadState | undefined,
  facts: DamageFacts,
): void {
  const { directory, topic, partition, writer } = place;
  const { baseOffset, from, position, reason } = facts;
  const path = join(directory, segmentName(baseOffset));
  const following = listSegments(directory).find((base) => base > baseOffset && base >= from);
  // What was given away is never given again, whether it can be read or not.
  const to = following ?? Math.max(head?.nextOffset ?? 0, facts.to, from);
  const file = facts.kind === "missing" ? path : badPath(path, writer.clock.wallTime());
  if (to > from) declareHole(directory, { from, to, file, reason });
  if (facts.kind !== "missing") {
    setAside(path, file, facts.kind === "segment" ? position : 0);
  }
  if (following === undefined) makeEmpty(join(directory, segmentName(to)));
  syncDirectory(directory);
  const event = { topic, partition, policy: "quarantine", file, position, reason } as const;
  writer.events.emit("corrupt", { ...event, firstLost: from, nextOffset: to });
}

/** A name that is free. */
function badPath(path: string, nowMs: number): string {
  for (let number = Math.floor(nowMs); ; number++) {
    const bad = `${path}.bad-${number}`;
    if (!existsSync(bad)) return bad;
  }
}

/** Gives the file its other name, and puts the good part under the old one. */
function setAside(path: string, bad: string, goodBytes: number): void {
  // They speak of the file as it was.
  for (const index of [indexPath(path), timeIndexPath(path)]) rmSync(index, { force: true });
  if (goodBytes === 0) {
    renameSync(path, bad);
    return;
  }
  const good = path + TEMPORARY;
  copyStart(path, good, goodBytes);
  try {
    linkSync(path, bad);
  } catch {
    // A file system without hard links: for a moment there is no file of that name, and a crash
    // then is a missing segment, whose offsets are declared as gone already.
    renameSync(path, bad);
  }
  renameSync(good, path);
}

function copyStart(from: string, to: string, length: number): void {
  const source = openSync(from, "r");
  const target = openSync(to, "w");
  try {
    const chunk = Buffer.allocUnsafe(Math.min(COPY_BYTES, length));
    for (let at = 0; at < length; at += COPY_BYTES) {
      const part = chunk.subarray(0, Math.min(COPY_BYTES, length - at));
      readFully(source, part, at);
      writeFully(target, part, at);
    }
    fsyncSync(target);
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

function makeEmpty(path: string): void {
  const fd = openSync(path, "a");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
