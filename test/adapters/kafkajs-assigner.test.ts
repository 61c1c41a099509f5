import { expect, test } from "bun:test";
import { AssignerProtocol, PartitionAssigners } from "kafkajs";
import { assigner } from "../../src/adapters/kafkajs/assigner.ts";
import type { ClientCluster } from "../../src/adapters/kafkajs/client.ts";

const COUNTS: Record<string, number> = { tópic: 5, other: 3, empty: 0, big: 300 };
const topics = Object.keys(COUNTS);
const cluster = {
  findTopicPartitionMetadata: (topic: string) =>
    Array.from({ length: COUNTS[topic] ?? 0 }, (_, partitionId) => ({ partitionId })),
} as unknown as ClientCluster;

test("R9: assigner() subscribes and assigns exactly as kafkajs does when nobody owns anything", async () => {
  const ours = assigner(cluster, () => ({ generation: -1, topics: new Map() }));
  const stock = PartitionAssigners.roundRobin({ cluster } as never) as unknown as typeof ours;
  expect(ours.name).toBe(stock.name);
  expect(ours.protocol({ topics })).toEqual(stock.protocol({ topics }));
  for (const ids of [["b"], ["c", "a", "b"], Array.from({ length: 400 }, (_, i) => `m${i}`)]) {
    const { metadata } = stock.protocol({ topics });
    const members = ids.map((memberId) => ({ memberId, memberMetadata: metadata }));
    const mine = await ours.assign({ members, topics });
    expect(mine).toEqual(await stock.assign({ members, topics }));
    const shares = mine.map(({ memberAssignment }) =>
      AssignerProtocol.MemberAssignment.decode(memberAssignment as Buffer),
    );
    const dealt = shares.flatMap((share) => Object.values(share?.assignment ?? {}).flat());
    expect(dealt.length).toBe(308);
  }
});

test("R9: assigner() reads ownership at each join, and as the leader leaves it in place", async () => {
  let owns: number[] = [];
  const leader = assigner(cluster, () => {
    return { generation: 7, topics: new Map(owns.length === 0 ? [] : [["tópic", owns]]) };
  });
  const subscribed = ["tópic"];
  const join = (memberId: string, partitions: number[]) => {
    owns = partitions;
    return { memberId, memberMetadata: leader.protocol({ topics: subscribed }).metadata };
  };
  const plain = PartitionAssigners.roundRobin({ cluster } as never);
  const members = [
    { memberId: "new", memberMetadata: plain.protocol({ topics: subscribed }).metadata },
    join("b", [0, 2]),
    join("a", [4, 3, 1]),
    { memberId: "odd", memberMetadata: new Uint8Array([1]) },
  ];
  const dealt = await leader.assign({ members, topics: subscribed });
  const read = dealt.map(({ memberId, memberAssignment }) => {
    const decoded = AssignerProtocol.MemberAssignment.decode(memberAssignment as Buffer);
    return [memberId, decoded?.assignment];
  });
  expect(Object.fromEntries(read)).toEqual({
    a: { tópic: [1] },
    b: { tópic: [0, 2] },
    new: { tópic: [4] },
    odd: { tópic: [3] },
  });
});
