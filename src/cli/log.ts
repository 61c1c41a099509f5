import type { CommandGroup } from "./command.ts";
import { append } from "./log/append.ts";
import { create } from "./log/create.ts";
import { deleteCommand } from "./log/delete.ts";
import { describe } from "./log/describe.ts";
import { groups } from "./log/groups.ts";
import { offsets } from "./log/offsets.ts";
import { read } from "./log/read.ts";
import { retain } from "./log/retain.ts";
import { tail } from "./log/tail.ts";
import { topics } from "./log/topics.ts";
import { verify } from "./log/verify.ts";

/** `headrace log`: everything about an embedded log. */
export const log: CommandGroup = {
  name: "log",
  summary: "makes, fills, reads, checks and cleans embedded logs",
  commands: [
    ...[create, append, read, tail],
    ...[topics, describe, verify],
    ...[groups, offsets],
    ...[retain, deleteCommand],
  ],
};
