/** Routes kafkajs's log lines into a headrace logger. */
import type { Logger } from "../../types.ts";

/** kafkajs's level numbers. */
export const LOG_LEVEL: { readonly nothing: 0; readonly warn: 2 } = { nothing: 0, warn: 2 };

const ERROR_LEVEL = 1;

/** A log line as kafkajs gives it. */
export interface ClientLogEntry {
  readonly namespace: string;
  readonly level: number;
  readonly log: { readonly message: string; readonly [field: string]: unknown };
}

/** Lines that come with every rebalance, or repeat an error that the caller gets anyway. */
function isNoise({ namespace, log }: ClientLogEntry): boolean {
  if (namespace === "Connection") return log.message.startsWith("Response ");
  return namespace === "Runner" && log.message.startsWith("The group is rebalancing");
}

/**
 * A kafkajs `logCreator`: errors and warnings keep their level, the lines of a normal rebalance
 * become debug, and so does everything once `stopped()` is true.
 */
export function logCreator(
  logger: Logger,
  stopped: () => boolean,
): () => (entry: ClientLogEntry) => void {
  return () => (entry) => {
    const { message, timestamp: _timestamp, logger: _logger, ...fields } = entry.log;
    const text = `kafkajs ${entry.namespace}: ${message}`;
    if (isNoise(entry) || stopped()) logger.debug(text, fields);
    else if (entry.level === ERROR_LEVEL) logger.error(text, fields);
    else if (entry.level === LOG_LEVEL.warn) logger.warn(text, fields);
    else logger.debug(text, fields);
  };
}
