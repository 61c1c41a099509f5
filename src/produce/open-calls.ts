/** Calls that began between two flushes. */
export interface Epoch {
  open: number;
  readonly drained: Promise<void>;
  readonly drain: () => void;
}

function newEpoch(): Epoch {
  let drain = (): void => {};
  const drained = new Promise<void>((resolve) => {
    drain = resolve;
  });
  return { open: 0, drained, drain };
}

/** Counts calls that have not ended, so that all up to now can be waited for without a promise for each. */
export class OpenCalls {
  #current: Epoch = newEpoch();
  /** Epochs that were closed and have open calls. */
  readonly #draining = new Set<Epoch>();

  /** @returns To be handed to `end()`, once, when the call has ended. */
  begin(): Epoch {
    this.#current.open += 1;
    return this.#current;
  }

  end(epoch: Epoch): void {
    epoch.open -= 1;
    if (epoch.open > 0 || epoch === this.#current) return;
    this.#draining.delete(epoch);
    epoch.drain();
  }

  /** Settles when every call that has begun so far has ended. */
  async ended(): Promise<void> {
    if (this.#current.open > 0) {
      this.#draining.add(this.#current);
      this.#current = newEpoch();
    }
    await Promise.all([...this.#draining].map((epoch) => epoch.drained));
  }
}
