/** Something that must not happen did. */
export class Violation extends Error {
  constructor(what: string) {
    super(what);
    this.name = "Violation";
  }
}

/** @throws {Violation} When a rule does not hold. */
export function demand(holds: boolean, what: () => string): asserts holds {
  if (!holds) throw new Violation(what());
}
