import type { CommandGroup } from "./command.ts";
import { append } from "./log/append.ts";
import { create } from "./log/create.ts";
import { read } from "./log/read.ts";
import { verify } from "./log/verify.ts";

/** `headrace log`: everything about an embedded log. */
export const log: CommandGroup = {
  name: "log",
  summary: "makes, fills, reads, checks and cleans embedded logs",
  commands: [create, append, read, verify],
};
