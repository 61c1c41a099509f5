import type { ProduceError } from "../errors.ts";

/** Failures that `flush()` can list; of further ones it gives the number. */
const MAX_FAILURES_KEPT = 1000;

/** What failed since the last flush. */
export class Failures {
  #kept: ProduceError[] = [];
  #count = 0;

  add(error: ProduceError): void {
    if (this.#kept.length < MAX_FAILURES_KEPT) this.#kept.push(error);
    this.#count += 1;
  }

  /**
   * Forgets them.
   *
   * @throws {AggregateError} When there were any.
   */
  take(): void {
    const [kept, count] = [this.#kept, this.#count];
    if (count === 0) return;
    this.#kept = [];
    this.#count = 0;
    const message = "Cannot flush as every record since the last flush must be stored";
    throw new AggregateError(kept, `${message}: received ${count} failures`);
  }
}
