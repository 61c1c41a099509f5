import type { CallBudget } from "./processor.ts";

/** A budget of one call, for calls that run one at a time; it still counts against the slice. */
export class OneCall implements CallBudget {
  readonly #slice: CallBudget;

  constructor(slice: CallBudget) {
    this.#slice = slice;
  }

  spend(): boolean {
    this.#slice.spend();
    return false;
  }
}
