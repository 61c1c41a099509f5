import type { Assignable, AssignableMember } from "./assignor.ts";

/**
 * The assignor `range`: topic by topic, each member that wants it gets a run of neighbouring
 * partitions; the first members get one more where it does not divide evenly. Topics with equal
 * partition counts and members are cut alike, so partition n of both has one owner.
 */
export function assignRange<M extends AssignableMember>(
  members: readonly M[],
  partitions: readonly Assignable<M>[],
): (M | undefined)[] {
  const counts = new Map<string, number>();
  for (const { topic } of partitions) counts.set(topic, (counts.get(topic) ?? 0) + 1);
  const given = new Map<string, number>();
  return partitions.map(({ topic }) => {
    const wanting = members.filter((member) => member.topics.includes(topic));
    const at = given.get(topic) ?? 0;
    given.set(topic, at + 1);
    if (wanting.length === 0) return undefined;
    return wanting[memberOf(at, counts.get(topic)!, wanting.length)];
  });
}

/** Which of `members` runs over `count` partitions holds number `at`. */
function memberOf(at: number, count: number, members: number): number {
  const least = Math.floor(count / members);
  const longer = count % members;
  const inLonger = longer * (least + 1);
  if (at < inLonger) return Math.floor(at / (least + 1));
  return longer + Math.floor((at - inLonger) / least);
}
