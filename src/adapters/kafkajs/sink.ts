/** Produces over kafkajs: explicit partitions, one call for each leader. */
import { ClosedError, ProduceError } from "../../errors.ts";
import type { Delivery, Sink, SinkBatch, SinkOutcome } from "../../source/source.ts";
import { KafkajsAdmin } from "./admin.ts";
import type { Client, ClientConstructor, ClientProducer } from "./client.ts";
import { checkCodec, compressionType } from "./codecs.ts";
import { describeBrokers, type KafkajsConfig, openClient, SHORT_RETRY } from "./config.ts";
import { errorType, isRetriable, sourceError } from "./errors.ts";
import { ExactProducers, type ExactSend } from "./exact-producers.ts";
import { Leaders } from "./leaders.ts";
import { loadClient } from "./load.ts";
import { baseOffsets, topicMessages } from "./sink-messages.ts";
import type { Sockets } from "./sockets.ts";

/** Acknowledged by all replicas, as it is; kafkajs's own timeout. */
const DEFAULT_DELIVERY: Delivery = {
  acks: -1,
  compression: "none",
  idempotent: false,
  requestTimeoutMs: 30_000,
};

/** Errors that may be about one partition of the request only. */
const ONE_PARTITION_TYPES: ReadonlySet<string> = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "INVALID_TOPIC_EXCEPTION",
  "TOPIC_AUTHORIZATION_FAILED",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
]);

/** Errors that are about some of the records. */
const RECORD_TYPES: ReadonlySet<string> = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
]);

/**
 * Errors that mean that the batch was never stored: they are about what it is. All others leave it
 * open, since kafkajs has sent it several times and tells of the last time only.
 */
const NEVER_STORED_TYPES: ReadonlySet<string> = new Set([
  ...RECORD_TYPES,
  "INVALID_TOPIC_EXCEPTION",
  "TOPIC_AUTHORIZATION_FAILED",
]);

/** Everything that is open between `open()` and `close()`. */
interface Open {
  readonly sockets: Sockets;
  readonly plain: ClientProducer;
  readonly exact: ExactProducers;
}

export class KafkajsSink implements Sink {
  readonly partsCalls = true;
  readonly #config: KafkajsConfig;
  readonly #admin: KafkajsAdmin;
  readonly #leaders = new Leaders();
  #open: Open | null = null;

  constructor(config: KafkajsConfig) {
    this.#config = config;
    this.#admin = new KafkajsAdmin(config);
  }

  async open(): Promise<void> {
    if (this.#open !== null) return;
    await this.#admin.open();
    const Kafka = await loadClient(this.#config.Kafka as ClientConstructor | undefined);
    const { client, sockets } = openClient(Kafka, this.#config);
    try {
      const plain = await this.#connect(client, false);
      // Connected when the first batch asks for it.
      const exact = new ExactProducers(() => this.#connect(client, true));
      this.#open = { sockets, plain, exact };
    } catch (error) {
      sockets.destroy();
      await this.#admin.close();
      const brokers = describeBrokers(this.#config);
      throw sourceError(`Cannot connect as a broker of ${brokers} must answer`, error);
    }
  }

  async #connect(client: Client, idempotent: boolean): Promise<ClientProducer> {
    const { producer: own, retry } = this.#config;
    const producer = client.producer({
      ...own,
      idempotent,
      // kafkajs would let an idempotent producer retry for ever. Here a batch is sent again by who
      // has it, over the same producer, which is as exact and has an end.
      retry: { ...SHORT_RETRY, ...(retry as object), ...(own?.retry as object) },
      createPartitioner: this.#leaders.createPartitioner,
    });
    await producer.connect();
    return producer;
  }

  async partitionCount(topic: string): Promise<number> {
    const count = (await this.#admin.partitionCounts([topic])).get(topic);
    if (count !== undefined) return count;
    throw new ProduceError(`Cannot produce as the topic must exist: received "${topic}"`);
  }

  /**
   * One call for each leader, and with `idempotent` for each producer. kafkajs names one error for
   * all of a call: where that may be about one partition, the batches are sent again one by one,
   * so that what the broker had taken already is then there twice, unless `idempotent`.
   */
  async send(
    batches: readonly SinkBatch[],
    delivery: Delivery = DEFAULT_DELIVERY,
  ): Promise<readonly SinkOutcome[]> {
    const open = this.#open;
    if (open === null) {
      throw new ClosedError("Cannot produce as the sink must be open: received send()");
    }
    const outcomes = new Map<SinkBatch, SinkOutcome>();
    const injected = this.#config.Kafka !== undefined;
    // An injected client has a registry of its own, which is its owner's.
    if (!injected) {
      try {
        await checkCodec(delivery.compression);
      } catch (error) {
        return batches.map((batch) => failed(error, batch));
      }
    }
    const request = {
      acks: delivery.acks,
      timeout: delivery.requestTimeoutMs,
      compression: compressionType(delivery.compression),
      grouped: !injected,
    };
    // What the configuration asks of every producer holds where the delivery allows it.
    const always = this.#config.producer?.idempotent === true && delivery.acks === -1;
    const exact = delivery.idempotent || always;
    await Promise.all(
      this.#leaders.group(batches).map(async (group) => {
        const sent = exact
          ? await sendExactly(open.exact, group, request)
          : await sendGroup(open.plain, group, request);
        for (const [batch, outcome] of sent) outcomes.set(batch, outcome);
      }),
    );
    return batches.map((batch) => outcomes.get(batch) as SinkOutcome);
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    open?.sockets.refuse();
    // Every record was acknowledged or reported before; a failed goodbye changes nothing.
    await open?.plain.disconnect().catch(() => {});
    await open?.exact.close();
    open?.sockets.destroy();
    await this.#admin.close();
  }
}

/** What all batches of a call have in common. */
interface RequestSettings {
  readonly acks: number;
  readonly timeout: number;
  readonly compression: number;
  /** The client is kafkajs itself. */
  readonly grouped: boolean;
}

type Outcomes = Map<SinkBatch, SinkOutcome>;

function failed(error: unknown, batch: SinkBatch): SinkOutcome {
  const { topic, partition } = batch;
  const said = sourceError(
    `Cannot produce to ${topic}#${partition} as the broker must store the batch`,
    error,
  );
  const retriable = isRetriable(error);
  const produceError = new ProduceError(said.message, { retriable, cause: error });
  return {
    error: produceError,
    sendAgain: retriable,
    sendParts: RECORD_TYPES.has(errorType(error)),
  };
}

async function sendOnce(
  producer: ClientProducer,
  batches: readonly SinkBatch[],
  settings: RequestSettings,
): Promise<Outcomes> {
  const { acks, timeout, compression } = settings;
  const request = {
    acks,
    timeout,
    compression,
    topicMessages: topicMessages(batches, settings.grouped),
  };
  const bases = baseOffsets(batches, await producer.sendBatch(request));
  return new Map(batches.map((batch, i) => [batch, bases[i] as SinkOutcome]));
}

/** Never rejects. */
async function sendGroup(
  producer: ClientProducer,
  batches: readonly SinkBatch[],
  settings: RequestSettings,
): Promise<Outcomes> {
  try {
    return await sendOnce(producer, batches, settings);
  } catch (error) {
    if (batches.length === 1 || !ONE_PARTITION_TYPES.has(errorType(error))) {
      return new Map(batches.map((batch) => [batch, failed(error, batch)]));
    }
  }
  const outcomes: Outcomes = new Map();
  for (const batch of batches) {
    for (const [, outcome] of await sendGroup(producer, [batch], settings)) {
      outcomes.set(batch, outcome);
    }
  }
  return outcomes;
}

/** Never rejects. */
async function sendExactly(
  producers: ExactProducers,
  batches: readonly SinkBatch[],
  settings: RequestSettings,
): Promise<Outcomes> {
  const outcomes: Outcomes = new Map();
  const sends = new Map<SinkBatch, ExactSend>();
  const byClient = new Map<ClientProducer, SinkBatch[]>();
  for (const batch of batches) {
    try {
      const send = await producers.start(batch);
      sends.set(batch, send);
      const same = byClient.get(send.client);
      if (same === undefined) byClient.set(send.client, [batch]);
      else same.push(batch);
    } catch (error) {
      outcomes.set(batch, failed(error, batch));
    }
  }
  await Promise.all(
    [...byClient].map(async ([client, group]) => {
      for (const [batch, outcome] of await sendGroup(client, group, settings)) {
        outcomes.set(batch, outcome);
        sends.get(batch)?.end(whatIsKnown(outcome));
      }
    }),
  );
  return outcomes;
}

function whatIsKnown(outcome: SinkOutcome): "stored" | "refused" | "unknown" {
  if (!("error" in outcome)) return "stored";
  return NEVER_STORED_TYPES.has(errorType(outcome.error.cause)) ? "refused" : "unknown";
}
