import type { Assignable, AssignableMember } from "./assignor.ts";

/**
 * The assignor `sticky`: balanced, and as few moves as that takes.
 *
 * Owners keep what they have; free partitions go to the member with the fewest, ties to the earlier
 * one; then partitions move, the last ones first, as long as a move makes the difference between
 * two members smaller.
 */
export function assignSticky<M extends AssignableMember>(
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
