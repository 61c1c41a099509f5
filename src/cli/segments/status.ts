import { segmentsStatus } from "../../segments/index.ts";
import type { Command } from "../command.ts";
import { paintFor } from "../paint.ts";
import { answerOf, COMMON_OPTIONS, readCall, USAGE } from "./options.ts";
import { statusLines } from "./status-lines.ts";

/** `headrace segments status`. */
export const status: Command = {
  name: "segments status",
  act: "show segments",
  summary: "shows where a group and its segments are, and their lag",
  usage: USAGE,
  positionals: 0,
  options: COMMON_OPTIONS,
  notes: [
    "Groups may run. A line is the log from its first to its next offset: how full it is says how much",
    "is done there. A segment counts the messages of the others as done as far as it has read.",
  ],
  async run(args, io) {
    const { name, calls } = await readCall("show segments", args, io.cwd);
    for (const [at, call] of calls.entries()) {
      const found = await answerOf(segmentsStatus(call), "show segments", name);
      if (at > 0 && !args.flag("json")) io.out.write("\n");
      const lines = args.flag("json")
        ? [JSON.stringify(found)]
        : statusLines(found, paintFor(io.out));
      io.out.write(`${lines.join("\n")}\n`);
    }
    return 0;
  },
};
