/** Options that are stored with a topic, as options of a command. */
import { resolve } from "node:path";
import type { DeduplicationOptions, RetentionOptions, TopicOverrides } from "../../adapters/log.ts";
import type { OptionSpec } from "../command.ts";
import { type Given, given, type OptionValues } from "../option-values.ts";

const KIB = 1024;
const GIB: number = 1024 ** 3;
const MAX_AGE_MS: number = 100 * 365 * 86_400_000;
const MAX_ENTRIES = 10_000_000;
const BOOLEANS = ["true", "false"] as const;

/** What is removed, and what must not be. */
export const RETENTION_OPTIONS: readonly OptionSpec[] = [
  { name: "retention-max-age-ms", value: "MS", help: "remove segments that are older" },
  { name: "retention-max-topic-bytes", value: "N", help: "most bytes of the topic" },
  {
    name: "retention-delete-oldest-segments",
    value: "B",
    help: "at that size: true removes, false refuses appends (false)",
  },
  { name: "retention-archive", value: "DIR", help: "where segments go before they are removed" },
  {
    name: "retention-protect-uncommitted",
    value: "B",
    help: "keep what a group has not committed (true)",
  },
  {
    name: "retention-barrier-max-age-ms",
    value: "MS",
    help: "a group that is silent for longer holds nothing (7 days)",
  },
];

/** All that a topic may have for itself. */
export const STORED_OPTIONS: readonly OptionSpec[] = [
  { name: "segment-bytes", value: "N", help: "size at which a segment is sealed (64 MiB)" },
  { name: "segment-max-age-ms", value: "MS", help: "age at which a segment is sealed" },
  ...RETENTION_OPTIONS,
  { name: "deduplication-max-entries", value: "N", help: "newest ids remembered (10000)" },
  { name: "deduplication-ttl-ms", value: "MS", help: "how long an id is remembered (60000)" },
];

/** Reads what was given, and nothing else. @throws {CommandError} */
export function storedOptions(values: OptionValues, cwd: string): TopicOverrides {
  const segment = anyGiven({
    bytes: values.integer("segment-bytes", KIB, GIB),
    maxAgeMs: values.integer("segment-max-age-ms", 1, MAX_AGE_MS),
  });
  const deduplication: DeduplicationOptions | undefined = anyGiven({
    maxEntries: values.integer("deduplication-max-entries", 1, MAX_ENTRIES),
    ttlMs: values.integer("deduplication-ttl-ms", 1, MAX_AGE_MS),
  });
  const retention = retentionOptions(values, cwd);
  return given({ segment, retention, deduplication });
}

/** @returns undefined when nothing was given. @throws {CommandError} */
export function retentionOptions(values: OptionValues, cwd: string): RetentionOptions | undefined {
  const archive = values.text("retention-archive");
  return anyGiven({
    maxAgeMs: values.integer("retention-max-age-ms", 1, MAX_AGE_MS),
    maxTopicBytes: values.integer("retention-max-topic-bytes", KIB, Number.MAX_SAFE_INTEGER),
    deleteOldestSegments: flag(values, "retention-delete-oldest-segments"),
    archive: archive === undefined ? undefined : resolve(cwd, archive),
    protectUncommitted: flag(values, "retention-protect-uncommitted"),
    barrierMaxAgeMs: values.integer("retention-barrier-max-age-ms", 1, MAX_AGE_MS),
  });
}

function flag(values: OptionValues, name: string): boolean | undefined {
  const value = values.oneOf(name, BOOLEANS);
  return value === undefined ? undefined : value === "true";
}

/** What was given; undefined when nothing was. */
function anyGiven<T extends object>(members: T): Given<T> | undefined {
  const found = given(members);
  return Object.keys(found).length === 0 ? undefined : found;
}
