/** Finds kafkajs when it is needed: an optional peer is never imported before. */
import { SourceError } from "../../errors.ts";
import type { ClientConstructor } from "./client.ts";

/**
 * The injected constructor, or kafkajs's own.
 *
 * @throws {SourceError} When kafkajs is not installed.
 */
export async function loadClient(
  injected: ClientConstructor | undefined,
): Promise<ClientConstructor> {
  if (injected !== undefined) return injected;
  try {
    const module: unknown = await import("kafkajs");
    // CommonJS: depending on the runtime's detection the names are on the module or on its default
    // export.
    const { Kafka, default: inner } = module as {
      Kafka?: ClientConstructor;
      default?: { Kafka: ClientConstructor };
    };
    return (Kafka ?? inner?.Kafka) as ClientConstructor;
  } catch (error) {
    throw new SourceError(
      "Cannot load kafkajs as it must be installed (npm install kafkajs): received " +
        (error instanceof Error ? error.message : String(error)),
      { cause: error },
    );
  }
}
