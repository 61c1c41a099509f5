import { DeserializeError } from "./errors.ts";
import type { Deserializer, Message } from "./types.ts";

/**
 * The payload of a message: its value through the deserializer, the bytes themselves without one.
 *
 * @throws {DeserializeError} When the deserializer throws; that error is the cause.
 */
export function readPayload(
  deserializer: Deserializer<unknown> | null,
  message: Message<unknown>,
): unknown {
  if (deserializer === null) return message.value;
  try {
    return deserializer(message.value, message);
  } catch (cause) {
    const where = `${message.topic}#${message.partition}@${message.offset}`;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new DeserializeError(`Cannot read the payload of ${where} as ${why}`, { cause });
  }
}
