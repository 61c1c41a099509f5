import {
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  type Logger,
  type Partitioner,
  type SourceFactory,
} from "../index.ts";
import type { Command, ParsedArguments } from "./command.ts";
import { EXIT_FAILED, explainError, usageError } from "./command-error.ts";
import { type Io, signalExitCode } from "./io.ts";
import { OptionValues } from "./option-values.ts";
import { keySpec } from "./run/key-spec.ts";
import { type LoadedHandler, loadHandler, moduleUrl } from "./run/load-handler.ts";
import { openSource } from "./run/open-source.ts";
import type { RunResult } from "./run/run-report.ts";
import { RunView } from "./run/run-view.ts";
import { TopicAdmin, type TopicEnd } from "./run/topic-end.ts";

const DISTRIBUTIONS = ["consistent", "balanced", "per-key"] as const;

interface RunOptions {
  readonly topic: string;
  readonly groupId: string;
  readonly partitioner: Partitioner;
  readonly distribution: (typeof DISTRIBUTIONS)[number] | undefined;
  readonly maxPartitions: number | undefined;
  readonly concurrency: number | undefined;
  readonly workers: number | undefined;
  readonly maxMessages: number | undefined;
  readonly drainTimeoutMs: number | undefined;
  readonly fromBeginning: boolean;
  readonly untilEnd: boolean;
  readonly json: boolean;
}

/** `headrace run`. */
export const run: Command = {
  name: "run",
  summary: "handles a topic with the functions of a module of yours",
  usage: "<module> --topic T --group G (--brokers LIST | --log DIR) [options]",
  positionals: 1,
  options: [
    { name: "topic", value: "T", help: "topic to read" },
    { name: "group", value: "G", help: "consumer group" },
    { name: "brokers", value: "LIST", help: "Kafka brokers, HOST:PORT with commas between them" },
    { name: "log", value: "DIR", help: "embedded log, instead of brokers" },
    {
      name: "key",
      value: "SPEC",
      help: "whose order is kept: key, header:NAME or json:PATH (key)",
    },
    { name: "max-partitions", value: "N", help: "virtual partitions per partition (concurrency)" },
    { name: "distribution", value: "D", help: "consistent, balanced or per-key (consistent)" },
    { name: "concurrency", value: "N", help: "handler calls at once (10)" },
    {
      name: "workers",
      value: "N",
      help: "threads that the module runs in, for work that is heavy on the processor (none)",
    },
    { name: "max-messages", value: "N", help: "most messages of one eachBatch call (100)" },
    {
      name: "drain-timeout-ms",
      value: "MS",
      help: "how long to wait for handlers at the end (20000)",
    },
    { name: "from-beginning", help: "start a new group at the first message, not at the end" },
    { name: "until-end", help: "stop when everything that is there now is handled and committed" },
    { name: "json", help: "print what was done as one JSON object on stdout" },
  ],
  notes: [
    "The module exports eachMessage(message, context), eachBatch(batch) or consumer(info), and a",
    "deserializer if it likes. TypeScript works where the runtime takes it: Node 22.18, Bun, Deno.",
    "Status goes to stderr. SIGINT and SIGTERM drain and commit; a second one leaves at once.",
  ],
  async run(args, io) {
    const path = args.positionals[0];
    if (path === undefined) throw usageError("Cannot run as a module is required: received none");
    const options = readOptions(args);
    // Threads import the module themselves.
    const { handler, deserializer } =
      options.workers === undefined
        ? await loadHandler(path, io.cwd)
        : { handler: { module: moduleUrl(path, io.cwd) }, deserializer: undefined };
    const source = await openSource("run", args.text("brokers"), args.text("log"), io.cwd);
    const admin = new TopicAdmin(source.factory, source.name);
    try {
      const end = await admin.look(options.groupId, options.topic);
      const view = new RunView(io, end, options.fromBeginning);
      const build = { options, handler, deserializer, logger: view.logger };
      const consumer = buildConsumer(source.factory, build);
      const result = await consume(consumer, view, io, options.untilEnd ? { admin, end } : null);
      if (options.json) io.out.write(`${JSON.stringify(result)}\n`);
      return result.abandoned > 0 || result.uncommitted.length > 0 ? EXIT_FAILED : 0;
    } finally {
      await admin.close();
    }
  },
};

function readOptions(args: ParsedArguments): RunOptions {
  const values = new OptionValues("run", args);
  return {
    topic: values.required("topic"),
    groupId: values.required("group"),
    partitioner: keySpec(args.text("key") ?? "key"),
    distribution: values.oneOf("distribution", DISTRIBUTIONS),
    maxPartitions: values.integer("max-partitions", 1, 65_536),
    concurrency: values.integer("concurrency", 1, 100_000),
    workers: values.integer("workers", 1, 1024),
    maxMessages: values.integer("max-messages", 1, 100_000),
    drainTimeoutMs: values.integer("drain-timeout-ms", 0, 3_600_000),
    fromBeginning: args.flag("from-beginning"),
    untilEnd: args.flag("until-end"),
    json: args.flag("json"),
  };
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
  const given = {
    source,
    groupId: options.groupId,
    fromBeginning: options.fromBeginning,
    logger,
    ...defined("concurrency", options.concurrency),
    ...defined("workers", options.workers),
    ...defined("drainTimeoutMs", options.drainTimeoutMs),
    topics: {
      [options.topic]: {
        ...handler,
        ...defined("deserializer", deserializer),
        ...defined("maxMessages", options.maxMessages),
        virtualPartitions: {
          partitioner: options.partitioner,
          ...defined("maxPartitions", options.maxPartitions),
          ...defined("distribution", options.distribution),
        },
      },
    },
  };
  try {
    return createConsumer(given as ConsumerOptions);
  } catch (error) {
    throw usageError(explainError(error), error);
  }
}

function defined<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: V });
}

/** Runs the consumer to its end: of the topic, by a signal, or by a fatal error. */
async function consume(
  consumer: Consumer,
  view: RunView,
  io: Io,
  until: { admin: TopicAdmin; end: TopicEnd } | null,
): Promise<RunResult> {
  const over = new AbortController();
  let stopping = false;
  const unlisten = io.onSignal((signal) => {
    if (stopping) {
      view.clear();
      io.exit(signalExitCode(signal));
      return;
    }
    stopping = true;
    view.draining(consumer.stats().running);
    over.abort();
    consumer.close().catch(() => {}); // run() rejects with the same error
  });
  view.watch(consumer);
  try {
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
