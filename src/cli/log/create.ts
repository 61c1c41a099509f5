import type { Command } from "../command.ts";
import { plural } from "../format.ts";
import { OptionValues } from "../option-values.ts";
import {
  LOG_OPTION,
  logPath,
  MAX_PARTITION,
  requiredTopic,
  TOPIC_OPTION,
  withWriter,
} from "./log-directory.ts";
import { STORED_OPTIONS, storedOptions } from "./topic-options.ts";

/** `headrace log create`. */
export const create: Command = {
  name: "log create",
  act: "create a topic",
  summary: "makes a topic, and the log if it is not there",
  usage: "<topic> --log DIR [--partitions N] [options]",
  positionals: 1,
  options: [
    LOG_OPTION,
    TOPIC_OPTION,
    { name: "partitions", value: "N", help: "partitions of the topic (1)" },
    ...STORED_OPTIONS,
    { name: "json", help: "print what was made as one JSON object" },
  ],
  notes: ["Options are stored with the topic, and hold whoever opens the log."],
  async run(args, io) {
    const topic = requiredTopic("create a topic", args);
    const values = new OptionValues("create a topic", args);
    const partitions = values.integer("partitions", 1, MAX_PARTITION + 1) ?? 1;
    const path = logPath("create a topic", args, io.cwd);
    const options = storedOptions(values, io.cwd);
    await withWriter(path, io, (log) => log.createTopic(topic, partitions, options));
    if (args.flag("json")) io.out.write(`${JSON.stringify({ topic, partitions, options })}\n`);
    else io.out.write(`Made ${topic} with ${plural(partitions, "partition")}\n`);
    return 0;
  },
};
