import type { Log } from "../../adapters/log.ts";
import type { Command, ParsedArguments } from "../command.ts";
import { CommandError, EXIT_FAILED } from "../command-error.ts";
import { plural } from "../format.ts";
import type { Io } from "../io.ts";
import { confirm } from "./confirm.ts";
import { topicFacts } from "./facts.ts";
import {
  chosenPartitions,
  existingLogPath,
  LOG_OPTION,
  optionalTopic,
  requiredTopic,
  TOPIC_OPTION,
  withReader,
  withWriter,
} from "./log-directory.ts";

/** `headrace log delete`. */
export const deleteCommand: Command = {
  name: "log delete",
  act: "delete",
  summary: "removes a topic, or the offsets of a group",
  usage: "<topic> | --group G [topic] --log DIR [--yes]",
  positionals: 1,
  options: [
    LOG_OPTION,
    TOPIC_OPTION,
    { name: "group", value: "G", help: "remove what this group has stored, and no message" },
    { name: "yes", help: "do not ask" },
    { name: "json", help: "print what was removed as one JSON object" },
  ],
  notes: [
    "A topic goes with its messages and all offsets that groups have stored in it: no process may",
    "write to the log, no group may read the topic. Offsets of a group go while it does not run.",
  ],
  async run(args, io) {
    const groupId = args.text("group");
    const path = existingLogPath("delete", args, io.cwd);
    return groupId === undefined
      ? await deleteTopic(path, args, io)
      : await deleteGroup(path, groupId, args, io);
  },
};

async function deleteTopic(path: string, args: ParsedArguments, io: Io): Promise<number> {
  const topic = requiredTopic("delete", args);
  // Looked at beside a writer, so that a question costs nothing and nobody waits for its answer.
  const facts = await withReader(path, async (log) => {
    const partitions = await chosenPartitions("delete", log, topic, undefined);
    return await topicFacts(log, topic, partitions);
  });
  const running = facts.groups.find((one) => one.process !== null);
  if (running !== undefined) {
    const { groupId, process } = running;
    throw new CommandError(
      `Cannot delete as no group may run: received ${groupId} in process ${process!.pid}`,
    );
  }
  const messages = plural(facts.messages, "message");
  const groups = plural(facts.groups.length, "group");
  const question = `Delete ${topic} with ${messages} and the offsets of ${groups}?`;
  if (!(await confirm("delete", question, args.flag("yes"), io))) return kept(io);
  await withWriter(path, io, (log) => log.deleteTopic(topic));
  const result = { topic, messages: facts.messages, groups: facts.groups.length };
  tell(args, io, result, `Deleted ${topic} with ${messages} and the offsets of ${groups}`);
  return 0;
}

async function deleteGroup(
  path: string,
  groupId: string,
  args: ParsedArguments,
  io: Io,
): Promise<number> {
  const topic = optionalTopic("delete", args);
  return await withReader(path, async (log) => {
    const topics = await topicsWith(log, groupId, topic);
    const question = `Delete the offsets of ${groupId} in ${topics.join(", ")}?`;
    if (!(await confirm("delete", question, args.flag("yes"), io))) return kept(io);
    const removed = await log.deleteGroup(groupId, topic);
    tell(
      args,
      io,
      { groupId, topics: removed },
      `Deleted the offsets of ${groupId} in ${removed.join(", ")}`,
    );
    return 0;
  });
}

async function topicsWith(
  log: Log,
  groupId: string,
  topic: string | undefined,
): Promise<readonly string[]> {
  if (topic !== undefined) await chosenPartitions("delete", log, topic, undefined);
  const names = topic === undefined ? (await log.topics()).map((one) => one.topic) : [topic];
  const found: string[] = [];
  for (const name of names) {
    const groups = await log.groups(name);
    if (groups.includes(groupId)) found.push(name);
  }
  if (found.length > 0) return found;
  const where = topic === undefined ? "" : ` in ${topic}`;
  throw new CommandError(
    `Cannot delete as the group must have stored offsets: received "${groupId}" without any${where}`,
  );
}

function kept(io: Io): number {
  io.err.write("Nothing is deleted\n");
  return EXIT_FAILED;
}

function tell(args: ParsedArguments, io: Io, result: object, line: string): void {
  io.out.write(`${args.flag("json") ? JSON.stringify(result) : line}\n`);
}
