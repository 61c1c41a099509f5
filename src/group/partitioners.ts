import { byMessageKey, unstablePartitioner } from "../known-partitioners.ts";
import type { Message, Partitioner } from "../types.ts";

/** What messages without a key have in common. */
export type MissingKey = "together" | "spread";

/** Names a message apart from all others: for keys that are spread. */
function spreadKey(message: Message): string {
  return `\u0000headrace-spread-${message.offset}`;
}

/**
 * By the message key.
 *
 * @param options.missing Messages without a key: "together" (default) they are one key, "spread" each is its own.
 */
export function byKey(options: { missing?: MissingKey } = {}): Partitioner {
  if (options.missing !== "spread") return byMessageKey;
  return (message) => message.key ?? spreadKey(message);
}

/**
 * By a header's bytes.
 *
 * @param options.missing Messages without it: "together" (default) they are one key, "spread" each is its own.
 */
export function byHeader(name: string, options: { missing?: MissingKey } = {}): Partitioner {
  const spread = options.missing === "spread";
  return (message) => message.headers.get(name) ?? (spread ? spreadKey(message) : null);
}

/** By something in the payload. */
export function byPayload<T>(choose: (payload: T) => ReturnType<Partitioner<T>>): Partitioner<T> {
  return (message) => choose(message.payload);
}

/** Each message is a key of its own, counted up: no order is kept. */
export function roundRobin(): Partitioner {
  let next = 0;
  return unstablePartitioner("roundRobin()", () => next++);
}

/** Each message is a random key: no order is kept. */
export function random(): Partitioner {
  return unstablePartitioner("random()", () => Math.random());
}
