/**
 * Takes groups of one topic in a process of its own, as it is told: `lock NAME`, `set PARTITION
 * OFFSET`, `release`. Answers each line with one.
 *
 *     group-child.ts DIRECTORY
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { GroupOffsets } from "../../src/log/group-offsets.ts";
import type { LockedGroup } from "../../src/log/locked-group.ts";

const groups = new GroupOffsets(process.argv[2]!);
let held: LockedGroup | undefined;

function run([act, ...args]: string[]): string {
  try {
    if (act === "lock") held = groups.lock(args[0]!, "Cannot join");
    if (act === "set")
      held!.set(Number(args[0]), { offset: Number(args[1]), metadata: "", generation: 1 });
    if (act === "release") held!.release();
    return "done";
  } catch (error) {
    return String(error);
  }
}

process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${run(line.split(" "))}\n`);
}
