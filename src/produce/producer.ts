/** Produces records: chooses their partitions, batches them, keeps their order. */
import type { ProducerRecord } from "../types.ts";
import { Validator } from "../validate.ts";
import { type DeliveryOptions, type ResolvedDelivery, resolveVariant } from "./delivery.ts";
import type { ProduceResult } from "./produce-call.ts";
import { ProducerCore } from "./producer-core.ts";
import type { ProducerEventName, ProducerEvents, ProducerStats } from "./producer-events.ts";
import { type ProducerOptions, resolveProducerOptions } from "./producer-options.ts";

/** Writes records. Records of one partition leave in the order of the calls, one request on its way at a time. */
export interface Producer {
  /**
   * Sends a record, and settles when it is acknowledged. Waits while the buffer is full.
   *
   * A rejection that nobody watches does not end the process: `flush()` and the logger report it.
   *
   * @throws {TypeError | RangeError} When the record is wrong.
   * @throws {ProduceError} When it could not be stored, or got no partition.
   * @throws {ClosedError} After `close()`.
   */
  produce(record: ProducerRecord): Promise<ProduceResult>;
  /**
   * Takes a record and returns at once; what becomes of it is told by the events `error` and `delivered`, and by
   * `flush()`.
   *
   * @throws {TypeError | RangeError} When the record is wrong.
   * @throws {CapacityError} When the buffer is full: wait for `flush()`, or use `produce`.
   * @throws {ClosedError} After `close()`.
   */
  produceAsync(record: ProducerRecord): void;
  /**
   * Sends records, those of one partition in one batch; results in the order of the records. When one is wrong,
   * nothing is sent; when one fails, others may have been stored (`ProduceError` of the first that failed).
   *
   * Over Kafka, which refuses large batches, they are parted by the limits of `linger`.
   */
  produceMany(records: readonly ProducerRecord[]): Promise<ProduceResult[]>;
  /**
   * Sends what lingers, and settles when everything produced before has, by any variant.
   *
   * @throws {AggregateError} With the ProduceErrors since the last flush, one per record, 1000 at most.
   */
  flush(): Promise<void>;
  /**
   * Sends the rest, then closes the sink; of all variants together. Failures of the rest reach the promises, the
   * events and the logger. Idempotent.
   *
   * @param options.drainTimeoutMs What is not stored then fails; default: nothing fails before its own delivery time.
   */
  close(options?: { drainTimeoutMs?: number }): Promise<void>;
  /**
   * A producer over the same buffer, queues and connection with other delivery settings. Records keep the order of the
   * calls, whichever variant they came through; batches are not mixed.
   *
   * @throws {TypeError | RangeError} Naming the option, the rule and the value.
   */
  variant(options: DeliveryOptions): Producer;
  /** Of all variants together. */
  stats(): ProducerStats;
  /**
   * Events of all variants.
   *
   * @returns A function that removes the listener.
   */
  on<E extends ProducerEventName>(
    event: E,
    listener: (payload: ProducerEvents[E]) => void,
  ): () => void;
}

const check = new Validator("close the producer");
const checkRecords = new Validator("produce");
const checkListener = new Validator("listen to a producer");
const EVENTS: readonly ProducerEventName[] = ["error", "delivered", "retried"];
/** As long as timers reach. */
const MAX_DRAIN_MS = 2 ** 31 - 1;

class SinkProducer implements Producer {
  readonly #core: ProducerCore;
  readonly #delivery: ResolvedDelivery;

  constructor(core: ProducerCore, delivery: ResolvedDelivery) {
    this.#core = core;
    this.#delivery = delivery;
  }

  produce(record: ProducerRecord): Promise<ProduceResult> {
    return this.#core.produce([record], this.#delivery, (results) => results[0] as ProduceResult);
  }

  produceAsync(record: ProducerRecord): void {
    this.#core.produceAsync(record, this.#delivery);
  }

  produceMany(records: readonly ProducerRecord[]): Promise<ProduceResult[]> {
    if (!Array.isArray(records)) {
      return Promise.reject(checkRecords.typeError("records must be an array", records));
    }
    return this.#core.produce(records, this.#delivery, (results) => [...results]);
  }

  flush(): Promise<void> {
    return this.#core.flush();
  }

  async close(options: { drainTimeoutMs?: number } = {}): Promise<void> {
    const { drainTimeoutMs } = check.object("options", options);
    const unbounded = Number.POSITIVE_INFINITY;
    return this.#core.close(
      drainTimeoutMs === undefined
        ? unbounded
        : check.number("drainTimeoutMs", drainTimeoutMs, unbounded, 0, MAX_DRAIN_MS),
    );
  }

  variant(options: DeliveryOptions): Producer {
    return new SinkProducer(this.#core, resolveVariant(options, this.#delivery));
  }

  stats(): ProducerStats {
    return this.#core.stats();
  }

  on<E extends ProducerEventName>(
    event: E,
    listener: (payload: ProducerEvents[E]) => void,
  ): () => void {
    checkListener.oneOf("event", event, event, EVENTS);
    checkListener.callable("listener", listener);
    return this.#core.events.on(event, listener);
  }
}

/**
 * Makes a producer. Nothing is connected before the first record.
 *
 * ```ts
 * const producer = createProducer({ sink: log("./data") });
 * await producer.produce({ topic: "orders", key: "customer-7", value: "…" }); // { partition, offset }
 * await producer.close();
 * ```
 *
 * @throws {TypeError | RangeError} When an option is wrong, naming it, the rule and the value.
 */
export function createProducer(options: ProducerOptions): Producer {
  const resolved = resolveProducerOptions(options);
  return new SinkProducer(new ProducerCore(resolved), resolved.delivery);
}
