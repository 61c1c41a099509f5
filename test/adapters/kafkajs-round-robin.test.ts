import { expect, test } from "bun:test";
import { AssignerProtocol, PartitionAssigners } from "kafkajs";
import type { ClientCluster } from "../../src/adapters/kafkajs/client.ts";
import { roundRobin } from "../../src/adapters/kafkajs/round-robin.ts";

const COUNTS: Record<string, number> = { tópic: 5, other: 3, empty: 0, big: 300 };
const topics = Object.keys(COUNTS);
const cluster = {
  findTopicPartitionMetadata: (topic: string) =>
    Array.from({ length: COUNTS[topic] ?? 0 }, (_, partitionId) => ({ partitionId })),
} as unknown as ClientCluster;

test("roundRobin() subscribes and assigns exactly as kafkajs does", async () => {
  const ours = roundRobin(cluster);
  const stock = PartitionAssigners.roundRobin({ cluster } as never) as unknown as typeof ours;
  expect(ours.name).toBe(stock.name);
  expect(ours.protocol({ topics })).toEqual(stock.protocol({ topics }));
  for (const ids of [["b"], ["c", "a", "b"], Array.from({ length: 400 }, (_, i) => `m${i}`)]) {
    const members = ids.map((memberId) => ({ memberId }));
    const mine = await ours.assign({ members, topics });
    expect(mine).toEqual(await stock.assign({ members, topics }));
    const shares = mine.map(({ memberAssignment }) =>
      AssignerProtocol.MemberAssignment.decode(memberAssignment as Buffer),
    );
    const dealt = shares.flatMap((share) => Object.values(share?.assignment ?? {}).flat());
    expect(dealt.length).toBe(308);
  }
});
