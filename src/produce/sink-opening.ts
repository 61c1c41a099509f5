import type { Sink } from "../source/source.ts";

/** A sink that is opened when it is first needed; after a failure the next use tries again. */
export class SinkOpening {
  readonly #make: () => Sink;
  #opening: Promise<Sink> | null = null;
  #opened: Sink | null = null;

  constructor(make: () => Sink) {
    this.#make = make;
  }

  /** The sink, once it is open. */
  get opened(): Sink | null {
    return this.#opened;
  }

  open(): Promise<Sink> {
    if (this.#opening) return this.#opening;
    const opening = this.#open();
    this.#opening = opening;
    opening.catch(() => {
      this.#opening = null;
    });
    return opening;
  }

  async #open(): Promise<Sink> {
    const sink = this.#make();
    try {
      await sink.open();
      this.#opened = sink;
      return sink;
    } catch (error) {
      // It may hold half of its connections; the error of the opening is the one that matters.
      await sink.close().catch(() => {});
      throw error;
    }
  }

  async close(): Promise<void> {
    // A sink that could not be opened has failed its records already, and is not open.
    const sink = await this.#opening?.catch(() => null);
    await sink?.close();
  }
}
