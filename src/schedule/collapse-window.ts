/**
 * `none`; `gathering`: running calls end, nothing starts; `waiting`: a back-off, or a dead letter on its way;
 * `ordered`: one call at a time, in offset order.
 */
export type CollapsePhase = "none" | "gathering" | "waiting" | "ordered";

/** The collapse of one topic partition (E2, E6): which offsets run one at a time, and whether calls may start. */
export class CollapseWindow {
  #phase: CollapsePhase = "none";
  readonly #changed: () => void;
  /** Messages below `until` run in offset order. */
  ordered = false;
  /** Offsets below this one run one at a time; -1 without a collapse, or before the window is set. */
  until = -1;
  /** A failure is what set it off, or came while it gathered. */
  #failed = false;
  /** Highest offset that a call had and left unfinished: it failed, or was abandoned. */
  #highestLeft = -1;

  /** @param changed The phase is another one. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get phase(): CollapsePhase {
    return this.#phase;
  }
  set phase(phase: CollapsePhase) {
    this.#phase = phase;
    this.ordered = phase === "ordered";
    this.#changed();
  }

  /** Calls may start: all, or the next one in offset order. */
  get mayStart(): boolean {
    return this.ordered || this.#phase === "none";
  }

  /** A call has failed, and others that started before it may still run. */
  get failing(): boolean {
    return this.phase === "gathering" && this.#failed;
  }

  /** A call has failed while the partition runs in parallel. */
  failed(): void {
    this.#failed = true;
    this.phase = "gathering";
  }

  /** A call had messages up to this offset and has not ended well. */
  started(highestOffset: number): void {
    this.#highestLeft = Math.max(this.#highestLeft, highestOffset);
  }

  /** Asked for without an error, up to and including an offset. */
  request(offset: number): void {
    this.until = Math.max(this.until, offset + 1);
    if (this.phase === "none") this.phase = "gathering";
  }

  /**
   * Running calls have ended: sets the window.
   *
   * @param highestDone Highest offset whose call has ended well.
   * @returns Whether a back-off comes first.
   */
  set(highestDone: number): boolean {
    const failed = this.#failed;
    if (failed) this.until = Math.max(this.until, highestDone + 1, this.#highestLeft + 1);
    this.#failed = false;
    this.phase = failed ? "waiting" : "ordered";
    return failed;
  }

  /** Everything below the window's end is done. */
  end(): void {
    this.phase = "none";
    this.until = -1;
  }
}
