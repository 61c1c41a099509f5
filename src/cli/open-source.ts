import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { SourceFactory } from "../index.ts";
import type { OptionSpec, ParsedArguments } from "./command.ts";
import { usageError } from "./command-error.ts";

/** Options that name a source. */
export const SOURCE_OPTIONS: readonly OptionSpec[] = [
  { name: "brokers", value: "LIST", help: "Kafka brokers, HOST:PORT with commas between them" },
  { name: "log", value: "DIR", help: "embedded log, instead of brokers" },
];

/** Where a command reads from. */
export interface OpenedSource {
  readonly factory: SourceFactory;
  /** For messages: the brokers or the directory. */
  readonly name: string;
}

/**
 * Makes the source that {@link SOURCE_OPTIONS} name.
 *
 * The adapters are loaded on demand.
 *
 * @param sessionTimeoutMs Of a member of a group on brokers; default: the adapter's.
 * @throws {CommandError} When both or none are given, or the value is no directory or no list of brokers.
 */
export async function openSource(
  act: string,
  args: ParsedArguments,
  cwd: string,
  sessionTimeoutMs?: number,
): Promise<OpenedSource> {
  const [brokers, directory] = [args.text("brokers"), args.text("log")];
  if ((brokers === undefined) === (directory === undefined)) {
    const received = brokers === undefined ? "none" : "both";
    throw usageError(
      `Cannot ${act} as one of --brokers and --log is required: received ${received}`,
    );
  }
  if (directory !== undefined) return await embeddedLog(act, directory, cwd);
  return await kafka(act, brokers!, sessionTimeoutMs);
}

async function embeddedLog(act: string, directory: string, cwd: string): Promise<OpenedSource> {
  const path = resolve(cwd, directory);
  // Opening would make an empty log there, and a mistyped path would look like an empty topic.
  if (!existsSync(path) || !statSync(path).isDirectory()) {
    throw usageError(`Cannot ${act} as --log must be a directory: received "${directory}"`);
  }
  const { log } = await import("../adapters/log.ts");
  return { factory: log(path), name: directory };
}

async function kafka(
  act: string,
  list: string,
  sessionTimeoutMs: number | undefined,
): Promise<OpenedSource> {
  const brokers = list.split(",").map((broker) => broker.trim());
  for (const broker of brokers) {
    const port = Number(
      /^[^\s:]+:(\d+)$|^\[[^\s\]]+\]:(\d+)$/.exec(broker)?.slice(1).find(Boolean),
    );
    if (port >= 1 && port <= 65_535) continue;
    throw usageError(`Cannot ${act} as --brokers must be HOST:PORT[,…]: received "${list}"`);
  }
  const { kafkajs } = await import("../adapters/kafkajs.ts");
  const consumer = sessionTimeoutMs === undefined ? {} : { sessionTimeout: sessionTimeoutMs };
  return { factory: kafkajs({ brokers, clientId: "headrace", consumer }), name: list };
}
