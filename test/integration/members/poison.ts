/** One message in this many is poison. */
const ONE_IN = 100;

/** Whether a handler must throw for the message at this offset, whenever it is asked. */
export function isPoison(offset: number): boolean {
  // Spread over the log without a pattern that keys or batches could share.
  return ((Math.imul(offset + 1, 2_654_435_761) >>> 8) & 0xffff) % ONE_IN === 0;
}

/** What poison makes a handler throw. Every other message is longer than a header may be (Q3). */
export class PoisonError extends Error {
  constructor(offset: number) {
    super(`Cannot digest offset ${offset}${offset % 2 === 0 ? "" : ` ${"é".repeat(3000)}`}`);
    this.name = "PoisonError";
  }
}
