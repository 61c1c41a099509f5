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
