import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TEMPORARY } from "./files.ts";
import type { HeadState } from "./head-file.ts";
import { baseOffsetOf } from "./segment-names.ts";

/**
 * Takes away what a crash left in a partition's directory: temporary files, segments below the
 * persisted log start (retention was about to remove them), indexes without a `.log`.
 *
 * @param head What `head` said; undefined removes no segment.
 */
export function sweepDirectory(directory: string, head: HeadState | undefined): void {
  const names = readdirSync(directory);
  const logStart = head === undefined ? 0 : Math.min(head.logStart, head.activeBase);
  const isOver = (name: string): boolean => (baseOffsetOf(name) ?? logStart) < logStart;
  const kept = new Set(names.filter((name) => name.endsWith(".log") && !isOver(name)));
  for (const name of names) {
    const isOrphan = /\.(time)?index$/.test(name) && !kept.has(name.replace(/[a-z]+$/, "log"));
    if (isOver(name) || isOrphan || name.endsWith(TEMPORARY)) rmSync(join(directory, name));
  }
}
