import process from "node:process";
import { log } from "../adapters/log.ts";
import type { Command } from "./command.ts";
import { consumeOrders, ORDERS_TOPIC, waitingOrders } from "./demo/consume-orders.ts";
import { JournalWriter } from "./demo/journal.ts";
import { commandLogger } from "./logger.ts";
import { OptionValues } from "./option-values.ts";

/** Often, so that a demo of a few hundred milliseconds has a stored offset to go on from. */
const COMMIT_INTERVAL_MS = 50;
const MAX = 10_000_000;

/** The consumer that `headrace demo` kills and starts again. */
export const demoChild: Command = {
  name: "demo-child",
  summary: `handles the topic ${ORDERS_TOPIC} for "headrace demo", in a process that can be killed`,
  usage: "--log DIR --journal FILE --messages N --lanes N [--kill-after N]",
  positionals: 0,
  hidden: true,
  options: [
    { name: "log", value: "DIR", help: "the embedded log" },
    { name: "journal", value: "FILE", help: "where to write what happens" },
    { name: "messages", value: "N", help: "end of the topic" },
    { name: "lanes", value: "N", help: "virtual partitions" },
    {
      name: "kill-after",
      value: "N",
      help: "die by SIGKILL once N are done and one offset is stored",
    },
  ],
  async run(args, io) {
    const options = new OptionValues("demo-child", args);
    const total = options.integer("messages", 1, MAX) ?? 1;
    const killAfter = options.integer("kill-after", 1, MAX) ?? Number.POSITIVE_INFINITY;
    const journal = new JournalWriter(options.required("journal"));
    let done = 0;
    let stored = false;
    const dieInTheMiddle = (): void => {
      if (stored && done >= killAfter) process.kill(process.pid, "SIGKILL");
    };
    await consumeOrders({
      source: log(options.required("log")),
      groupId: "demo-restarted",
      distribution: "balanced",
      lanes: options.integer("lanes", 1, MAX) ?? 1,
      total,
      commitIntervalMs: COMMIT_INTERVAL_MS,
      logger: commandLogger((line) => io.err.write(`${line}\n`)),
      signal: null,
      handling: waitingOrders({
        started: (offset) => journal.started(offset),
        finished(offset, virtualPartition) {
          journal.finished(offset, virtualPartition);
          done++;
          dieInTheMiddle();
        },
      }),
      onTick: ({ running, partitions }) => journal.progress(running, partitions[0]?.lag ?? 0),
      onAssigned: (offset) => journal.assigned(offset),
      onCommitted(offset) {
        journal.committed(offset);
        stored ||= offset > 0;
        dieInTheMiddle();
      },
    });
    journal.close();
    return 0;
  },
};
