import type { Assignable, AssignableMember } from "./assignor.ts";

/**
 * The assignor `round-robin`: all partitions of all topics are dealt out like cards; a member that
 * does not want a topic is passed over.
 */
export function assignRoundRobin<M extends AssignableMember>(
  members: readonly M[],
  partitions: readonly Assignable<M>[],
): (M | undefined)[] {
  let next = 0;
  return partitions.map(({ topic }) => {
    for (let tried = 0; tried < members.length; tried++) {
      const member = members[next % members.length]!;
      next++;
      if (member.topics.includes(topic)) return member;
    }
    return undefined;
  });
}
