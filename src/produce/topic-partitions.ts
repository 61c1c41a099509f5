import type { Clock } from "../types.ts";

/** A topic's number of partitions is asked for again after this long, as Kafka's own producers do. */
const REFRESH_MS = 300_000;

interface Topic {
  count: number | null;
  askedAtMs: number;
  asking: boolean;
  /** Who came before the number was known, in order. */
  readonly waiting: ((count: number | Error) => void)[];
}

/** Knows how many partitions topics have. */
export class TopicPartitions {
  readonly #ask: (topic: string) => Promise<number>;
  readonly #clock: Clock;
  readonly #topics = new Map<string, Topic>();

  constructor(ask: (topic: string) => Promise<number>, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /** The number, when it is known. Asks again when it is old. */
  known(topic: string): number | null {
    const known = this.#topics.get(topic);
    if (known === undefined || known.count === null) return null;
    if (this.#clock.now() - known.askedAtMs >= REFRESH_MS && !known.asking) {
      void this.#refresh(topic, known);
    }
    return known.count;
  }

  /**
   * Calls back with the number: at once when it is known, so that records keep the order of their calls. When it
   * cannot be known, everybody who waits is told, and the next to come asks again.
   */
  get(topic: string, then: (count: number | Error) => void): void {
    const known = this.#topics.get(topic) ?? this.#add(topic);
    const stale = known.count === null || this.#clock.now() - known.askedAtMs >= REFRESH_MS;
    if (known.count !== null) then(known.count);
    else known.waiting.push(then);
    if (stale && !known.asking) void this.#refresh(topic, known);
  }

  /** Tells everybody who waits, now. */
  giveUp(reason: Error): void {
    for (const { waiting } of this.#topics.values()) {
      for (const then of waiting.splice(0)) then(reason);
    }
  }

  #add(topic: string): Topic {
    const added: Topic = { count: null, askedAtMs: 0, asking: false, waiting: [] };
    this.#topics.set(topic, added);
    return added;
  }

  /** Never rejects. */
  async #refresh(topic: string, known: Topic): Promise<void> {
    known.asking = true;
    known.askedAtMs = this.#clock.now();
    let answer: number | Error;
    try {
      answer = await this.#ask(topic);
    } catch (error) {
      // With a number from before, work goes on with that one: the next refresh asks again.
      answer = error instanceof Error ? error : new Error(String(error));
    }
    // Those who come while the waiting are told line up behind them, and are told by the same loop.
    for (const then of known.waiting) then(answer);
    known.waiting.length = 0;
    known.asking = false;
    if (typeof answer === "number") known.count = answer;
    else if (known.count === null) this.#topics.delete(topic);
  }
}
