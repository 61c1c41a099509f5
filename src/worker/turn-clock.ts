import type { Clock } from "../types.ts";

/** A thread gives its event loop a turn at least this often (R1). */
const TURN_MS = 10;
/** Work that takes this long is timed piece by piece. */
const LONG_MS = 1;
const MAX_PIECES_PER_LOOK = 64;

/**
 * Says when a loop of small pieces of work has to give way to the event loop.
 *
 * It reads the clock after 1, 2, 4 … 64 pieces while they are short, and after each one where they are long: a look
 * costs as much as a short piece.
 */
export class TurnClock {
  readonly #clock: Clock;
  #beganMs: number;
  #lookedMs: number;
  #piecesPerLook = 1;
  #left = 1;
  /** As of the last look. */
  isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beganMs = clock.now();
    this.#lookedMs = this.#beganMs;
  }

  /** A turn of the event loop begins. */
  begin(): void {
    this.#beganMs = this.#clock.now();
    this.#lookedMs = this.#beganMs;
    this.isOver = false;
  }

  /** A piece of work is done. True when it was time to look, and much time has passed since the last look. */
  spend(): boolean {
    if (--this.#left > 0) return false;
    const before = this.#lookedMs;
    this.look();
    const long = this.#lookedMs - before >= LONG_MS;
    this.#piecesPerLook = long ? 1 : Math.min(this.#piecesPerLook * 2, MAX_PIECES_PER_LOOK);
    this.#left = this.#piecesPerLook;
    return long || this.isOver;
  }

  /** Reads the clock; true when the turn is over. */
  look(): boolean {
    this.#lookedMs = this.#clock.now();
    this.isOver = this.#lookedMs - this.#beganMs >= TURN_MS;
    return this.isOver;
  }

  /** Gives the event loop a turn. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.defer(resolve));
    this.begin();
  }
}
