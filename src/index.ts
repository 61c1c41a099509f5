/**
 * headrace processes the messages of one Kafka partition in parallel: per-key order is kept, and only what is really
 * done is committed.
 *
 * @module
 */
export { createConsumer } from "./consumer.ts";
export type { Consumer, ConsumerState } from "./consumer-interface.ts";
export { json, protobuf, text } from "./deserializers.ts";
export { byteSum, modulo, multiplyShift } from "./distribute/reducers.ts";
export * from "./errors.ts";
export type { ConsumerEventName, ConsumerEvents } from "./events.ts";
export {
  byHeader,
  byKey,
  byPayload,
  type MissingKey,
  random,
  roundRobin,
} from "./group/partitioners.ts";
export type * from "./options.ts";
export { balanced } from "./produce/balanced.ts";
export type { DeliveryOptions } from "./produce/delivery.ts";
export { hourly } from "./produce/hourly.ts";
export { u32, u64, u128 } from "./produce/key-numbers.ts";
export { type KeyHash, messagesKey } from "./produce/messages-key.ts";
export { partitionId } from "./produce/partition-id.ts";
export { type PriorityOptions, priority } from "./produce/priority.ts";
export type { ProduceResult } from "./produce/produce-call.ts";
export { createProducer, type Producer } from "./produce/producer.ts";
export type {
  ProducerEventName,
  ProducerEvents,
  ProducerStats,
} from "./produce/producer-events.ts";
export type { LingerOptions, ProducerOptions } from "./produce/producer-options.ts";
export { type SaltedOptions, salted } from "./produce/salted.ts";
export { weighted } from "./produce/weighted.ts";
export type * from "./source/source.ts";
export type * from "./stats.ts";
export type * from "./types.ts";
export { init } from "./wasm/module.ts";
