/** Finds kafkajs when it is needed: an optional peer is never imported before. */
import { SourceError } from "../../errors.ts";
import type { ClientConstructor } from "./client.ts";
import { type CodecRegistry, registerCodecs } from "./codecs.ts";

/** What of kafkajs's module is used. */
interface Module {
  readonly Kafka: ClientConstructor;
  readonly CompressionCodecs: CodecRegistry;
}

/**
 * The injected constructor, or kafkajs's own, with the codecs that it lacks.
 *
 * @throws {SourceError} When kafkajs is not installed.
 */
export async function loadClient(
  injected: ClientConstructor | undefined,
): Promise<ClientConstructor> {
  if (injected !== undefined) return injected;
  try {
    const module: unknown = await import("kafkajs");
    // CommonJS: all names are on its default export; on the module there are those that the
    // runtime has detected, which are not all of them.
    const { default: inner, ...detected } = module as Module & { default?: Module };
    const { Kafka, CompressionCodecs } = inner?.Kafka === undefined ? detected : inner;
    registerCodecs(CompressionCodecs);
    return Kafka;
  } catch (error) {
    throw new SourceError(
      "Cannot load kafkajs as it must be installed (npm install kafkajs): received " +
        (error instanceof Error ? error.message : String(error)),
      { cause: error },
    );
  }
}
