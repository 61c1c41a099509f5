/** What one member holds while partitions are dealt. */

/** One partition to deal. */
export interface Slot {
  readonly topic: string;
  readonly partition: number;
  /** Who has it now and may keep it; null when nobody has, or nobody can be told. */
  readonly owner: Share | null;
}

/** One member's partitions. `topics` null: it takes those of any topic. */
export class Share {
  readonly memberId: string;
  readonly topics: ReadonlySet<string> | null;
  readonly #byTopic = new Map<string, Slot[]>();
  load = 0;

  constructor(memberId: string, topics: ReadonlySet<string> | null) {
    this.memberId = memberId;
    this.topics = topics;
  }

  takes(topic: string): boolean {
    return this.topics === null || this.topics.has(topic);
  }

  countOf(topic: string): number {
    return this.#byTopic.get(topic)?.length ?? 0;
  }

  add(slot: Slot): void {
    const slots = this.#byTopic.get(slot.topic) ?? [];
    this.#byTopic.set(slot.topic, slots);
    slots.push(slot);
    this.load++;
  }

  /** Something of it is of a topic that the other takes. */
  mayGiveTo(taker: Share): boolean {
    for (const [topic, slots] of this.#byTopic) {
      if (slots.length > 0 && taker.takes(topic)) return true;
    }
    return false;
  }

  /**
   * Gives one partition away: one that comes home by it if there is one, else one that is not at
   * home here, else of the topic of which this member has the most more than the other, so that
   * busy topics stay spread.
   */
  giveTo(taker: Share): void {
    let chosen: Slot | null = null;
    let best = -1;
    let bestSurplus = 0;
    for (const [topic, slots] of this.#byTopic) {
      if (!taker.takes(topic)) continue;
      const surplus = slots.length - taker.countOf(topic);
      for (const slot of slots.toReversed()) {
        const rank = slot.owner === taker ? 2 : slot.owner === this ? 0 : 1;
        if (rank < best || (rank === best && surplus <= bestSurplus)) continue;
        chosen = slot;
        best = rank;
        bestSurplus = surplus;
      }
    }
    if (chosen === null) return;
    this.#remove(chosen);
    taker.add(chosen);
  }

  #remove(slot: Slot): void {
    const slots = this.#byTopic.get(slot.topic) ?? [];
    slots.splice(slots.indexOf(slot), 1);
    this.load--;
  }

  /** Every partition held. */
  *slots(): Generator<Slot> {
    for (const slots of this.#byTopic.values()) yield* slots;
  }
}
