import type { CommandGroup } from "./command.ts";
import { collapse, distribute, reset } from "./segments/move.ts";
import { status } from "./segments/status.ts";

/** `headrace segments`: the offsets of parallel segments. */
export const segments: CommandGroup = {
  name: "segments",
  summary: "moves offsets between a group and its parallel segments, and shows them",
  commands: [distribute, collapse, reset, status],
  notes: [
    "Everything is read and checked before anything is written: a group that runs, offsets that exist",
    "already or differ, a broker that does not answer change nothing.",
  ],
};
