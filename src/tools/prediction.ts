import { DISTRIBUTIONS, type Distribution, type FlowModel, flowModel } from "./flow-model.ts";

/** Milliseconds that a message costs beside its handler, one after the other, on one thread. */
const OVERHEAD_MS = 0.005;
/** Messages that predictions look at. */
const LOOKED_AT = 200_000;
/** Of the best speed-up: a simpler distribution that reaches this much is chosen. */
const NEARLY = 0.9;

/** What one distribution would do. */
export interface PredictedSpeed {
  readonly distribution: Distribution;
  /** Against one handler call after the other. */
  readonly speedUp: number;
  /** Messages per second. */
  readonly rate: number;
}

/** What the distributions would make of a sample, where handlers wait (I/O) for most of their time. */
export interface Prediction {
  /** Virtual partitions, each with one call at a time. */
  readonly partitions: number;
  /** Messages polled and not done, at most. */
  readonly batchSize: number;
  readonly handlerMs: number;
  /** Messages that were looked at: the first ones. */
  readonly messages: number;
  readonly distributions: readonly PredictedSpeed[];
  /** The simplest one that is nearly as fast as the fastest; with a hot key `per-key`, if it is that fast. */
  readonly choose: Distribution;
  /** Why, in plain words. */
  readonly reason: string;
}

/** What is predicted, before a choice is made. */
export type PredictedSpeeds = Omit<Prediction, "choose" | "reason">;

/** Chooses a distribution. @param hotKey One key alone has more than the share of a virtual partition. */
export function choose(speeds: PredictedSpeeds, hotKey: boolean): Prediction {
  const best = Math.max(...speeds.distributions.map(({ speedUp }) => speedUp));
  const near = speeds.distributions.filter(({ speedUp }) => speedUp >= NEARLY * best);
  const names = near.map(({ distribution }) => distribution);
  if (hotKey && names.includes("per-key")) {
    const reason = "as fast as the others, and no key waits behind the hot one";
    return { ...speeds, choose: "per-key", reason };
  }
  const reason = "the simplest that is nearly as fast as the fastest";
  return { ...speeds, choose: names[0]!, reason };
}

/** Compares the distributions while a sample goes by. */
export class Predictor {
  readonly #models: readonly FlowModel[];
  readonly #partitions: number;
  readonly #batchSize: number;
  #messages = 0;

  /** @param batchSize Messages polled and not done, at most. */
  constructor(partitions: number, batchSize: number) {
    this.#partitions = partitions;
    this.#batchSize = batchSize;
    this.#models = DISTRIBUTIONS.map((one) => flowModel(one, partitions, batchSize));
  }

  push(keyHash: number, virtualPartition: number): void {
    if (this.#messages === LOOKED_AT) return;
    this.#messages++;
    for (const model of this.#models) model.push(keyHash, virtualPartition);
  }

  /**
   * @param handlerMs Milliseconds of one handler call, above 0.
   */
  finish(handlerMs: number): PredictedSpeeds {
    const serialMs = this.#messages * (handlerMs + OVERHEAD_MS);
    const distributions = this.#models.map((model, at) => {
      // The thread has to touch each message, however many calls wait at once.
      const ms = Math.max(model.finish() * handlerMs, this.#messages * OVERHEAD_MS);
      return {
        distribution: DISTRIBUTIONS[at]!,
        speedUp: serialMs / ms,
        rate: (this.#messages / ms) * 1000,
      };
    });
    return {
      partitions: this.#partitions,
      batchSize: this.#batchSize,
      handlerMs,
      messages: this.#messages,
      distributions,
    };
  }
}
