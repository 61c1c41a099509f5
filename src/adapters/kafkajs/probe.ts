/** Asks once, impatiently, before a patient client is started. */
import { SourceError } from "../../errors.ts";
import type { ClientAdmin, ClientConstructor } from "./client.ts";
import { describeBrokers, type KafkajsConfig, openClient } from "./config.ts";
import { errorType, isAuthError, sourceError } from "./errors.ts";
import type { GroupSpec } from "./source.ts";
import { untilAborted } from "./wait.ts";

/** All of it together. */
const PROBE_MS = 10_000;

async function findMissing(admin: ClientAdmin, topics: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const topic of topics) {
    try {
      await admin.fetchTopicMetadata({ topics: [topic] });
    } catch (error) {
      if (errorType(error) !== "UNKNOWN_TOPIC_OR_PARTITION") throw error;
      missing.push(topic);
    }
  }
  return missing;
}

/**
 * Checks that a broker answers, that it lets us in, and that the topics exist: the consumer's own
 * client retries for ever and would never say so. Takes at most 10 s.
 *
 * @throws {SourceError} Naming brokers or topics (rule R8).
 */
export async function probe(
  Kafka: ClientConstructor,
  config: KafkajsConfig,
  group: GroupSpec,
): Promise<void> {
  const { client, sockets } = openClient(Kafka, config);
  const admin = client.admin(config.admin ?? {});
  const deadline = new AbortController();
  const timer = group.clock.setTimer(() => deadline.abort(), PROBE_MS);
  let missing: string[];
  try {
    await untilAborted(admin.connect(), deadline.signal);
    missing = await untilAborted(findMissing(admin, group.topics), deadline.signal);
    await untilAborted(admin.disconnect(), deadline.signal);
  } catch (error) {
    const rule = isAuthError(error) ? "must let the client in" : "must answer";
    const said = deadline.signal.aborted ? new Error(`no answer in ${PROBE_MS} ms`) : error;
    throw sourceError(`Cannot start as a broker of ${describeBrokers(config)} ${rule}`, said, {
      cause: error,
    });
  } finally {
    group.clock.clearTimer(timer);
    sockets.destroy();
  }
  if (missing.length === 0) return;
  const names = missing.map((topic) => `"${topic}"`).join(", ");
  throw new SourceError(`Cannot start as all topics must exist: received ${names}`);
}
