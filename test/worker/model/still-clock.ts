/** In place of `TurnClock`: no time passes. */
export class StillClock {
  readonly isOver = false;

  begin(): void {}

  spend(): boolean {
    return false;
  }

  look(): boolean {
    return false;
  }

  next(): null {
    return null;
  }
}
