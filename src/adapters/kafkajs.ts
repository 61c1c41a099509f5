/** Kafka through kafkajs 2.2 (an optional peer): consumer groups, producing, administration. */
import type { Admin, Sink, SourceFactory } from "../source/source.ts";
import { KafkajsAdmin } from "./kafkajs/admin.ts";
import { checkConfig, type KafkajsConfig } from "./kafkajs/config.ts";
import { KafkajsSink } from "./kafkajs/sink.ts";
import { KafkajsSource } from "./kafkajs/source.ts";

export type { KafkajsConfig } from "./kafkajs/config.ts";
export type { BrokerList } from "./kafkajs/sockets.ts";

/** A {@link SourceFactory} that writes and administers too. */
export interface KafkajsFactory extends SourceFactory {
  sink(): Sink;
  admin(): Admin;
}

/**
 * Kafka over kafkajs.
 *
 * Every source, sink and admin has a client and connections of its own; kafkajs is loaded when the
 * first one starts. The consumer retries for as long as it runs, so that a broker's outage shorter
 * than the session timeout costs nothing; sinks and admins give up after a few seconds. `open`
 * throws a RangeError when `consumer.rebalanceTimeout` is set and leaves no room for the drain.
 *
 * @param config kafkajs's `KafkaConfig`, plus `consumer`, `producer` and `admin` with the options
 *   of each part, plus `Kafka` to inject the constructor.
 * @throws {TypeError} For a key that headrace owns, such as `consumer.groupId`, and for parts of
 *   the wrong type.
 * @example
 * const source = kafkajs({ brokers: ["127.0.0.1:9092"], clientId: "orders" });
 */
export function kafkajs(config: KafkajsConfig): KafkajsFactory {
  checkConfig(config);
  return {
    open: (group) => new KafkajsSource(config, group),
    sink: () => new KafkajsSink(config),
    admin: () => new KafkajsAdmin(config),
  };
}
