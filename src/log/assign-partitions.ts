/** A partition as a key of maps: topic names may hold any character, so the number comes first. */
export type PartitionKey = `${number}/${string}`;

export function partitionKey(topic: string, partition: number): PartitionKey {
  return `${partition}/${topic}`;
}

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
 * Shares partitions among members: sticky and balanced.
 *
 * Owners keep what they have; free partitions go to the member with the fewest; then partitions
 * move, the last ones first, as long as a move makes the difference between two members smaller.
 *
 * @param members In the order in which they joined; ties go to the earlier one.
 * @returns Owners, index by index; undefined where no member wants the topic.
 */
export function assignPartitions<M extends AssignableMember>(
  members: readonly M[],
  partitions: readonly Assignable<M>[],
): (M | undefined)[] {
  const load = new Map<M, number>(members.map((member) => [member, 0]));
  const add = (member: M, by: number): void => {
    load.set(member, load.get(member)! + by);
  };
  const wanted = (topic: string): M[] => members.filter((one) => one.topics.includes(topic));
  const least = (topic: string): M | undefined =>
    wanted(topic).reduce<M | undefined>(
      (best, one) => (best === undefined || load.get(one)! < load.get(best)! ? one : best),
      undefined,
    );

  const owners = partitions.map(({ owner }) => (owner && load.has(owner) ? owner : undefined));
  for (const owner of owners) if (owner !== undefined) add(owner, 1);
  for (let at = 0; at < owners.length; at++) {
    if (owners[at] !== undefined) continue;
    const member = least(partitions[at]!.topic);
    owners[at] = member;
    if (member !== undefined) add(member, 1);
  }
  // Each move lowers the sum of the squared loads, so this ends.
  for (let moved = true; moved; ) {
    moved = false;
    for (let at = owners.length - 1; at >= 0; at--) {
      const from = owners[at];
      const to = least(partitions[at]!.topic);
      if (from === undefined || to === undefined) continue;
      if (load.get(from)! - load.get(to)! < 2) continue;
      owners[at] = to;
      add(from, -1);
      add(to, 1);
      moved = true;
    }
  }
  return owners;
}
