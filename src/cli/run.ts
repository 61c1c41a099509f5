import {
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  type Logger,
  type SourceFactory,
} from "../index.ts";
import type { Command, ParsedArguments } from "./command.ts";
import { EXIT_FAILED, orUsageError } from "./command-error.ts";
import { type Io, signalExitCode } from "./io.ts";
import { openSource } from "./open-source.ts";
import { given } from "./option-values.ts";
import { isFinal } from "./run/is-final.ts";
import { type LoadedHandler, loadHandler, moduleUrl } from "./run/load-handler.ts";
import {
  memberArguments,
  RUN_SPECS,
  type RunOptions,
  readProcesses,
  readRunOptions,
} from "./run/run-options.ts";
import { runProcesses } from "./run/run-processes.ts";
import { type RunResult, runGreeting } from "./run/run-report.ts";
import { ReportScreen, StatusScreen } from "./run/run-screen.ts";
import { RunView } from "./run/run-view.ts";
import { TopicAdmin, type TopicEnd } from "./run/topic-end.ts";

/** `headrace run`. */
export const run: Command = {
  name: "run",
  summary: "handles a topic with the functions of a module of yours",
  usage: "<module> --topic T --group G (--brokers LIST | --log DIR) [options]",
  positionals: 1,
  options: RUN_SPECS,
  notes: [
    "The module exports eachMessage(message, context), eachBatch(batch) or consumer(info), and a",
    "deserializer if it likes. TypeScript works where the runtime takes it: Node 22.18, Bun, Deno.",
    "Status goes to stderr. SIGINT and SIGTERM drain and commit; a second one leaves at once.",
    "Processes share the partitions among them. With --processes and --workers each has so many threads.",
  ],
  async run(args, io) {
    const options = readRunOptions(args);
    const count = readProcesses(args);
    if (count === undefined) return await runHere(args, options, io);
    moduleUrl(options.modulePath, io.cwd);
    const { admin } = await openTopic(args, options, io);
    const end = await admin.look(options.groupId, options.topic).finally(() => admin.close());
    const member = ["run-member", ...memberArguments(args, io.cwd)];
    return await runProcesses({ ...options, count, args: member, end }, io);
  },
};

/** One process of `headrace run --processes`. */
export const runMember: Command = {
  ...run,
  name: "run-member",
  act: "run",
  hidden: true,
  async run(args, io) {
    const screen = new ReportScreen(io);
    try {
      return await runHere(args, readRunOptions(args), io, screen);
    } catch (error) {
      if (isFinal(error)) screen.report({ kind: "final" });
      throw error;
    }
  },
};

/** @param member Where a process of several reports; null: it runs by itself. */
async function runHere(
  args: ParsedArguments,
  options: RunOptions,
  io: Io,
  member: ReportScreen | null = null,
): Promise<number> {
  const { modulePath, workers } = options;
  // Threads import the module themselves.
  const { handler, deserializer } =
    workers === undefined
      ? await loadHandler(modulePath, io.cwd)
      : { handler: { module: moduleUrl(modulePath, io.cwd) }, deserializer: undefined };
  const { admin, source } = await openTopic(args, options, io);
  try {
    const end = await admin.look(options.groupId, options.topic);
    const screen = member ?? new StatusScreen(io);
    if (member === null) {
      for (const line of runGreeting(end, options.fromBeginning)) screen.print(line);
    }
    const view = new RunView(screen, end);
    const build = { options, handler, deserializer, logger: view.logger };
    const consumer = buildConsumer(source, build);
    const until = options.untilEnd ? { admin, end } : null;
    const result = await consume(consumer, view, io, until, member);
    if (options.json) io.out.write(`${JSON.stringify(result)}\n`);
    return result.abandoned > 0 || result.uncommitted.length > 0 ? EXIT_FAILED : 0;
  } finally {
    await admin.close();
  }
}

async function openTopic(
  args: ParsedArguments,
  { sessionTimeoutMs }: RunOptions,
  io: Io,
): Promise<{ admin: TopicAdmin; source: SourceFactory }> {
  const source = await openSource("run", args, io.cwd, sessionTimeoutMs);
  return { admin: new TopicAdmin(source.factory, source.name), source: source.factory };
}

/** @throws {CommandError} When the options do not fit together. */
function buildConsumer(
  source: SourceFactory,
  {
    options,
    handler,
    deserializer,
    logger,
  }: {
    options: RunOptions;
    handler: LoadedHandler["handler"];
    deserializer: LoadedHandler["deserializer"];
    logger: Logger;
  },
): Consumer {
  const { groupId, topic, fromBeginning, concurrency, workers, drainTimeoutMs } = options;
  const { maxMessages, partitioner, maxPartitions, distribution } = options;
  const wanted = {
    source,
    groupId,
    fromBeginning,
    logger,
    ...given({ concurrency, workers, drainTimeoutMs }),
    topics: {
      [topic]: {
        ...handler,
        ...given({ deserializer, maxMessages }),
        virtualPartitions: { partitioner, ...given({ maxPartitions, distribution }) },
      },
    },
  };
  return orUsageError(() => createConsumer(wanted as ConsumerOptions));
}

/** Runs the consumer to its end: of the topic, by a signal, or by a fatal error. */
async function consume(
  consumer: Consumer,
  view: RunView,
  io: Io,
  until: { admin: TopicAdmin; end: TopicEnd } | null,
  member: ReportScreen | null,
): Promise<RunResult> {
  const over = new AbortController();
  const drain = (): void => {
    if (over.signal.aborted) return;
    view.draining(consumer.stats().running);
    over.abort();
    consumer.close().catch(() => {}); // run() rejects with the same error
  };
  const unlisten = io.onSignal((signal) => {
    if (!over.signal.aborted) return drain();
    // A terminal, or whoever stops a service, signals every process, and the command does so once more.
    if (member !== null) return;
    view.screen.clear();
    io.exit(signalExitCode(signal));
  });
  view.watch(consumer);
  try {
    if (member !== null) {
      member.report({ kind: "loaded" });
      parentGone(io)
        .catch(() => {}) // a pipe that breaks says the same
        .then(drain);
      await consumer.start();
      member.report({ kind: "started" });
    }
    const closed = consumer.run();
    const ended = until?.admin.reached(until.end, consumer, over.signal);
    const closing = ended?.finally(() => consumer.close());
    const [report] = await Promise.all([closed, closing]);
    return view.finish(consumer, report);
  } finally {
    over.abort();
    unlisten();
    view.stop();
  }
}

/** The command that started this process holds the other end of its stdin, and writes nothing to it. */
async function parentGone(io: Io): Promise<void> {
  for await (const _ of io.input.chunks());
}
