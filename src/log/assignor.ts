/** How partitions are shared among the members of a group: what all assignors have in common. */

/** A member as the assignment sees it. */
export interface AssignableMember {
  readonly topics: readonly string[];
}

/** A partition to give away, and who has it. */
export interface Assignable<M> {
  readonly topic: string;
  readonly partition: number;
  readonly owner: M | undefined;
}

/**
 * Shares partitions among members. Pure; the same input gives the same answer.
 *
 * @param members In the order in which they joined.
 * @param partitions Topic by topic, numbers ascending.
 * @returns Owners, index by index; undefined where no member wants the topic.
 */
export type Assignor = <M extends AssignableMember>(
  members: readonly M[],
  partitions: readonly Assignable<M>[],
) => (M | undefined)[];
