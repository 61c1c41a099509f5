import { Buffer } from "node:buffer";
import { CorruptLogError } from "../errors.ts";
import type { NamedDirectory } from "./named-directory.ts";
import { checkOverrides, type TopicOverrides } from "./topic-options.ts";

/** Name of the file that describes a topic. */
export const TOPIC_FILE = "topic.json";

/** `topic.json`. */
export interface TopicJson {
  readonly name: string;
  /** 16 bytes in hexadecimal; tells a topic from a later one of the same name. */
  readonly id: string;
  readonly partitions: number;
  /** How keys find their partition, for other tools. */
  readonly hash: "murmur2";
  /** Raised with the partition count. */
  readonly epoch: number;
  /** What it has for itself; the log's options hold for the rest. */
  readonly options?: TopicOverrides;
}

/** The topic's id as bytes. */
export function idOf(json: TopicJson): Uint8Array {
  return Buffer.from(json.id, "hex");
}

/** @throws {CorruptLogError} When something is missing or of the wrong kind. */
export function checkedTopicJson({ path, json }: NamedDirectory): TopicJson {
  const { partitions, id, epoch, options } = json;
  const good = Number.isInteger(partitions) && Number.isInteger(epoch) && typeof id === "string";
  if (good && goodOverrides(options)) return json as unknown as TopicJson;
  throw new CorruptLogError(
    `Cannot open topic ${json.name} as topic.json must name partitions, id, epoch and options: ` +
      `received ${JSON.stringify(json).slice(0, 200)} in ${path}`,
  );
}

function goodOverrides(options: unknown): boolean {
  if (options === undefined) return true;
  try {
    return typeof checkOverrides("topic.", options as Record<string, unknown>) === "object";
  } catch {
    // Reported by the caller, with the path.
    return false;
  }
}
