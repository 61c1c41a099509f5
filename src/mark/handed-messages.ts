/**
 * Messages handed to calls and not marked yet, per lane, in offset order: what collective marking needs (O2).
 *
 * Used with manual acknowledgement only: there a call may end without marking its messages.
 */
export class HandedMessages {
  readonly #offsets = new Map<number, number[]>();
  /** Messages handed over and not marked. */
  size = 0;

  /** A call ended without marking this message. Offsets of a lane come in ascending order. */
  add(lane: number, offset: number): void {
    this.size++;
    const offsets = this.#offsets.get(lane);
    if (offsets === undefined) this.#offsets.set(lane, [offset]);
    else offsets.push(offset);
  }

  /** Takes out one message, if it is there. */
  take(lane: number, offset: number): void {
    const offsets = this.#offsets.get(lane);
    const at = offsets?.indexOf(offset) ?? -1;
    if (offsets === undefined || at < 0) return;
    offsets.splice(at, 1);
    this.size--;
    if (offsets.length === 0) this.#offsets.delete(lane);
  }

  /** Takes out the lane's messages up to and including an offset. */
  takeThrough(lane: number, offset: number, visit: (offset: number) => void): void {
    const offsets = this.#offsets.get(lane);
    if (offsets === undefined) return;
    let taken = 0;
    while (taken < offsets.length && offsets[taken]! <= offset) visit(offsets[taken++]!);
    this.size -= taken;
    if (taken === offsets.length) this.#offsets.delete(lane);
    else if (taken > 0) offsets.splice(0, taken);
  }
}
