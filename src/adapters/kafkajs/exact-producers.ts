/** Idempotent producers of kafkajs, used so that nothing is stored twice and nothing is taken for stored. */
import type { SinkBatch } from "../../source/source.ts";
import type { ClientProducer } from "./client.ts";

/** A client with what it still has to do. */
interface Exact {
  readonly client: ClientProducer;
  /** Sends that run. */
  running: number;
  /** Batches with an unknown outcome that only this client can send again. */
  uncertain: number;
  /** Another one has taken over. */
  replaced: boolean;
}

/** One send over one client. */
export interface ExactSend {
  readonly client: ClientProducer;
  /** Says how it went. */
  end(outcome: "stored" | "refused" | "unknown"): void;
}

/**
 * kafkajs numbers the batches of each partition, and takes a number back when a send fails. The
 * broker knows a repeated batch by its number. So a batch whose outcome is unknown must be sent
 * again over the same client and before any other of its partition; and when it is given up, its
 * number is burnt: the broker would take the next batch for the one that it has stored, and answer
 * that all is well. Then the partition goes on with a new client, whose numbers begin anew.
 */
export class ExactProducers {
  readonly #make: () => Promise<ClientProducer>;
  #current: Promise<Exact> | null = null;
  readonly #all = new Set<Exact>();
  /** By partition: the batch whose outcome is unknown. */
  readonly #uncertain = new Map<string, { readonly batch: SinkBatch; readonly over: Exact }>();

  /** @param make Makes a connected idempotent producer. */
  constructor(make: () => Promise<ClientProducer>) {
    this.#make = make;
  }

  /**
   * The client for a batch: the same object as before when it is sent again.
   *
   * @throws What `make` rejects with; the batch was not sent then.
   */
  async start(batch: SinkBatch): Promise<ExactSend> {
    const name = `${batch.partition} ${batch.topic}`;
    const before = this.#uncertain.get(name);
    let over = before?.over;
    if (before !== undefined && before.batch !== batch) {
      await this.#replace(before.over);
      this.#forget(name);
      over = undefined;
    }
    over ??= await this.#currentOne();
    over.running += 1;
    return { client: over.client, end: (outcome) => this.#end(name, batch, over, outcome) };
  }

  async close(): Promise<void> {
    await this.#current?.catch(() => {});
    // Every record was acknowledged or reported before; a failed goodbye changes nothing.
    const goodbyes = [...this.#all].map(({ client }) => client.disconnect().catch(() => {}));
    await Promise.all(goodbyes);
    this.#all.clear();
  }

  #end(
    name: string,
    batch: SinkBatch,
    over: Exact,
    outcome: "stored" | "refused" | "unknown",
  ): void {
    over.running -= 1;
    if (outcome === "stored") this.#forget(name);
    if (outcome === "unknown" && !this.#uncertain.has(name)) {
      this.#uncertain.set(name, { batch, over });
      over.uncertain += 1;
    }
    this.#release(over);
  }

  #forget(name: string): void {
    const known = this.#uncertain.get(name);
    if (known === undefined) return;
    this.#uncertain.delete(name);
    known.over.uncertain -= 1;
    this.#release(known.over);
  }

  async #replace(spoilt: Exact): Promise<void> {
    if (spoilt.replaced) return;
    spoilt.replaced = true;
    this.#current = null;
    await this.#currentOne();
  }

  #currentOne(): Promise<Exact> {
    if (this.#current !== null) return this.#current;
    const making = this.#makeOne();
    this.#current = making;
    making.catch(() => {
      if (this.#current === making) this.#current = null;
    });
    return making;
  }

  async #makeOne(): Promise<Exact> {
    const client = await this.#make();
    const exact: Exact = { client, running: 0, uncertain: 0, replaced: false };
    this.#all.add(exact);
    return exact;
  }

  /** Ends a replaced client that has nothing left to do. */
  #release(one: Exact): void {
    if (!one.replaced || one.running > 0 || one.uncertain > 0 || !this.#all.delete(one)) return;
    // It has nothing to say any more.
    one.client.disconnect().catch(() => {});
  }
}
