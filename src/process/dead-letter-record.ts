import type { Failure } from "../options.ts";
import type { SinkRecord } from "../source/source.ts";

/** Longest error message in a header, in bytes. */
const MAX_ERROR_BYTES = 1024;
const encoder = new TextEncoder();

/** What a dead-lettered record says about the work that failed. */
export interface DeadLetterOrigin {
  readonly groupId: string;
  readonly virtualPartition: number;
  /** Milliseconds since the epoch. */
  readonly wallTimeMs: number;
}

/** The record of a dead letter topic (Q3): key, value and headers stay, headers about the failure are added. */
export function deadLetterRecord(failure: Failure, origin: DeadLetterOrigin): SinkRecord {
  const { message, error, attempt, topic, partition, offset } = failure;
  const known = error instanceof Error ? error : new Error(String(error));
  const added: Record<string, string | number> = {
    "headrace-source-topic": topic,
    "headrace-source-partition": partition,
    "headrace-source-offset": offset,
    "headrace-source-timestamp": message.timestamp,
    "headrace-group-id": origin.groupId,
    "headrace-attempts": attempt,
    "headrace-error-name": known.name,
    "headrace-error-message": known.message,
    "headrace-virtual-partition": origin.virtualPartition,
  };
  const headers = Object.entries(added).map(
    ([name, value]) => [name, cut(encoder.encode(String(value)))] as const,
  );
  return {
    key: message.key,
    value: message.value,
    headers: [...message.headers.entries(), ...headers],
    timestamp: origin.wallTimeMs,
    id: null,
  };
}

/** Cuts UTF-8 text between two characters. */
function cut(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= MAX_ERROR_BYTES) return bytes;
  let end = MAX_ERROR_BYTES;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
