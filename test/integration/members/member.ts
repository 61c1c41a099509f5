/**
 * A member of a consumer group in a process of its own, for tests that kill it.
 *
 * Its one argument is a `MemberOptions` as JSON. SIGTERM closes it in order; the process then ends
 * by itself.
 */
import process from "node:process";
import { kafkajs } from "../../../src/adapters/kafkajs.ts";
import { byKey, type Consumer, createConsumer, type Message } from "../../../src/index.ts";
import type { TopicOptions } from "../../../src/options.ts";
import { type HandlerEntry, Journal } from "./journal.ts";
import type { MemberOptions } from "./member-options.ts";
import { isPoison, PoisonError } from "./poison.ts";

const HEARTBEATS_PER_SESSION = 6;
const MAX_HEARTBEAT_MS = 500;
const FETCH_WAIT_MS = 50;
const STALL_MS = 20_000;

const options = JSON.parse(process.argv[2] ?? "{}") as MemberOptions;
const journal = new Journal(options.journal, options.name);

function workMs(offset: number): number {
  const { slow, work } = options;
  if (slow !== undefined && offset % slow.every === 0) return slow.ms;
  const { minMs, maxMs } = work;
  return minMs + ((offset * 7919) % (maxMs - minMs + 1));
}

async function eachMessage(message: Message): Promise<void> {
  const { topic, partition, offset } = message;
  const write = (kind: HandlerEntry["kind"]): void =>
    journal.write({ kind, topic, partition, offset, key: message.keyText() });
  write("start");
  if (offset === options.stuckAt) await new Promise(() => {});
  const ms = workMs(offset);
  if (ms >= 1) await new Promise((resolve) => setTimeout(resolve, ms));
  if (options.poison && isPoison(offset)) {
    write("fail");
    throw new PoisonError(offset);
  }
  write("end");
}

function watch(consumer: Consumer): void {
  for (const kind of ["assigned", "revoked", "lost"] as const) {
    consumer.on(kind, ({ topic, partition, offset }) =>
      journal.write({ kind, topic, partition, offset }),
    );
  }
  consumer.on("committed", ({ topic, partition, offset, mapSize, segment }) => {
    if (segment !== undefined) return;
    journal.write({ kind: "committed", topic, partition, offset, mapSize });
  });
  consumer.on("error", ({ error, fatal }) =>
    journal.write({ kind: "error", message: error.message, fatal }),
  );
  consumer.on("stalled", ({ kind, explanation }) => {
    const message = `stalled, ${kind}: ${JSON.stringify(explanation)}`;
    journal.write({ kind: "error", message, fatal: false });
  });
  consumer.on("deadLettered", ({ topic, partition, offset }) =>
    journal.write({ kind: "deadLettered", topic, partition, offset }),
  );
}

const heartbeatInterval = Math.min(
  MAX_HEARTBEAT_MS,
  Math.ceil(options.sessionTimeoutMs / HEARTBEATS_PER_SESSION),
);
const topicOptions: TopicOptions = { ...options.topic, eachMessage };
const consumer = createConsumer({
  ...options.consumer,
  source: kafkajs({
    brokers: [options.bootstrap],
    clientId: options.name,
    consumer: {
      sessionTimeout: options.sessionTimeoutMs,
      heartbeatInterval,
      maxWaitTimeInMs: FETCH_WAIT_MS,
    },
  }),
  groupId: options.groupId,
  ...(options.segments && { parallelSegments: { ...options.segments, partitioner: byKey() } }),
  fromBeginning: true,
  // Soon enough to be in the journal when a test gives up.
  stallMs: STALL_MS,
  topics: Object.fromEntries(options.topics.map((topic) => [topic, topicOptions])),
});
watch(consumer);
process.once("SIGTERM", () => {
  consumer.close().catch(() => {}); // run() below reports it
});
const { drained, abandoned, uncommitted } = await consumer.run();
journal.write({ kind: "closed", drained, abandoned, uncommitted: uncommitted.length });
journal.close();
