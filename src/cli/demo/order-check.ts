import type { Orders } from "./orders.ts";

/** Who wants to know what handlers do. */
export interface Recorder {
  started(offset: number): void;
  finished(offset: number, virtualPartition: number): void;
}

/** What a check found. */
export interface CheckResult {
  /** Orders that were never handled to the end. */
  readonly missing: number;
  /** Handlers that started before the customer's earlier order was done, or beside it, or out of turn. */
  readonly orderBreaks: number;
  /** Handlings beyond the first of an order, summed. */
  readonly handledTwice: number;
}

const NONE = -1;

/** Watches every handler of a way and counts what must not happen. */
export class OrderCheck implements Recorder {
  readonly #orders: Orders;
  readonly #handled: Uint8Array;
  /** Last order started per customer, in this run of the consumer. */
  readonly #lastStarted: Int32Array;
  readonly #running: Uint8Array;
  readonly #perVirtualPartition: number[] = [];
  #orderBreaks = 0;
  #handledTwice = 0;
  #done = 0;

  constructor(orders: Orders) {
    this.#orders = orders;
    this.#handled = new Uint8Array(orders.count);
    const customerCount = orders.customers.reduce((a, b) => Math.max(a, b), 0) + 1;
    this.#lastStarted = new Int32Array(customerCount).fill(NONE);
    this.#running = new Uint8Array(customerCount);
  }

  /** Orders handled to the end at least once. */
  get done(): number {
    return this.#done;
  }

  /** Handlings per virtual partition, idle ones included. */
  perVirtualPartition(count: number): readonly number[] {
    return Array.from({ length: count }, (_, index) => this.#perVirtualPartition[index] ?? 0);
  }

  /** The consumer was killed and begins anew: nothing runs, and offsets may be handed out again. */
  restarted(): void {
    this.#lastStarted.fill(NONE);
    this.#running.fill(0);
  }

  started(offset: number): void {
    const customer = this.#orders.customers[offset]!;
    const previous = this.#orders.previous[offset]!;
    const early = previous !== NONE && this.#handled[previous] === 0;
    const outOfTurn = this.#lastStarted[customer]! >= offset;
    if (early || outOfTurn || this.#running[customer] === 1) this.#orderBreaks++;
    this.#lastStarted[customer] = offset;
    this.#running[customer] = 1;
  }

  finished(offset: number, virtualPartition: number): void {
    this.#running[this.#orders.customers[offset]!] = 0;
    if (this.#handled[offset] === 1) this.#handledTwice++;
    else this.#done++;
    this.#handled[offset] = 1;
    this.#perVirtualPartition[virtualPartition] =
      (this.#perVirtualPartition[virtualPartition] ?? 0) + 1;
  }

  result(): CheckResult {
    return {
      missing: this.#orders.count - this.#done,
      orderBreaks: this.#orderBreaks,
      handledTwice: this.#handledTwice,
    };
  }
}
