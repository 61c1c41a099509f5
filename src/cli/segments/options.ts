import type { SourceFactory } from "../../index.ts";
import type { SegmentsStatusOptions } from "../../segments/index.ts";
import type { OptionSpec, ParsedArguments } from "../command.ts";
import { usageError } from "../command-error.ts";
import { openSource, SOURCE_OPTIONS } from "../open-source.ts";
import { given, OptionValues } from "../option-values.ts";
import { withDeadline } from "../with-deadline.ts";

/** As the consumer's `parallelSegments.count`; 1 is no segments. */
const MAX_COUNT = 65_536;
/** Longest that reading and writing one group and its segments may take. */
const GROUP_TIMEOUT_MS = 60_000;

/** How the commands are called. */
export const USAGE = "--groups A[,B] --count N (--brokers LIST | --log DIR) [options]";

/** Options of every command. */
export const COMMON_OPTIONS: readonly OptionSpec[] = [
  { name: "groups", value: "A[,B]", help: "the groups that the segments come from" },
  { name: "count", value: "N", help: "how many segments each of them has" },
  { name: "topics", value: "T[,U]", help: "only these topics (all with an offset)" },
  { name: "merge-key", value: "K", help: 'between group and number ("-parallel-")' },
  ...SOURCE_OPTIONS,
  { name: "json", help: "print one JSON object per group" },
];

/** What the options of a command say, group by group. */
export interface SegmentsCall {
  /** The brokers or the directory. */
  readonly name: string;
  readonly calls: readonly SegmentsStatusOptions[];
}

/**
 * Reads the options that every command has.
 *
 * @throws {CommandError} Naming the option, the rule and the value.
 */
export async function readCall(
  act: string,
  args: ParsedArguments,
  cwd: string,
): Promise<SegmentsCall> {
  const values = new OptionValues(act, args);
  const groupIds = list(act, "groups", values.required("groups"));
  values.required("count");
  const count = values.integer("count", 2, MAX_COUNT)!;
  const topics = values.text("topics");
  const common = {
    count,
    ...given({
      topics: topics === undefined ? undefined : list(act, "topics", topics),
      mergeKey: values.text("merge-key"),
    }),
  };
  const opened = await openSource(act, args, cwd);
  const source: SourceFactory = opened.factory;
  return { name: opened.name, calls: groupIds.map((groupId) => ({ source, groupId, ...common })) };
}

/**
 * The answer of a function of `headrace/segments`.
 *
 * @throws {CommandError} For a wrong option, or when there is no answer for a minute.
 */
export async function answerOf<T>(asked: Promise<T>, act: string, name: string): Promise<T> {
  try {
    return await withDeadline(asked, GROUP_TIMEOUT_MS, `${act} of ${name}`);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw usageError(error.message, error);
  }
}

/** Names with commas between them. @throws {CommandError} For an empty one, or one given twice. */
function list(act: string, option: string, text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) {
    const rule = `--${option} must be names with commas between them`;
    throw usageError(`Cannot ${act} as ${rule}: received "${text}"`);
  }
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return names;
  throw usageError(`Cannot ${act} as --${option} names each once: received "${twice}" twice`);
}
