import { describe, expect, test } from "bun:test";
import { type GroupMember, keepInPlace } from "../../src/adapters/kafkajs/keep-in-place.ts";
import type { OwnedPartitions } from "../../src/adapters/kafkajs/owned-partitions.ts";
import type { TopicPartition } from "../../src/types.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

type Dealt = ReadonlyMap<string, readonly TopicPartition[]>;

const NOTHING: readonly TopicPartition[] = [];

function partitionsOf(topic: string, count: number): TopicPartition[] {
  return Array.from({ length: count }, (_, partition) => ({ topic, partition }));
}

function ownedBy(partitions: readonly TopicPartition[], generation = 1): OwnedPartitions {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  }
  return { generation, topics };
}

function member(
  memberId: string,
  owns: readonly TopicPartition[] = NOTHING,
  generation = 1,
  topics: readonly string[] | null = null,
): GroupMember {
  const owned = owns.length === 0 ? null : ownedBy(owns, generation);
  return { memberId, topics: topics && new Set(topics), owned };
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}${partition}`;
const textOf = (dealt: Dealt, memberId: string): string =>
  (dealt.get(memberId) ?? []).map(nameOf).join(" ");

/** Partitions that have the owner they had. */
function keptOf(before: Dealt, after: Dealt): number {
  let kept = 0;
  for (const [memberId, partitions] of after) {
    const had = new Set((before.get(memberId) ?? []).map(nameOf));
    kept += partitions.filter((one) => had.has(nameOf(one))).length;
  }
  return kept;
}

/** The most that can stay: the largest owners get the larger shares. */
function mostKept(before: Dealt, memberIds: readonly string[], count: number): number {
  const counts = memberIds.map((id) => before.get(id)?.length ?? 0).sort((a, b) => b - a);
  const [floor, larger] = [Math.floor(count / counts.length), count % counts.length];
  return counts.reduce((sum, had, i) => sum + Math.min(had, floor + (i < larger ? 1 : 0)), 0);
}

/** Sum of squares: the lower, the more equal. */
const costOf = (loads: readonly number[]): number => loads.reduce((sum, n) => sum + n * n, 0);

/** The lowest cost of all assignments that respect the subscriptions. */
function leastCost(members: readonly GroupMember[], partitions: readonly TopicPartition[]): number {
  const loads = members.map(() => 0);
  const dealFrom = (at: number): number => {
    const one = partitions[at];
    if (one === undefined) return costOf(loads);
    let least = Number.POSITIVE_INFINITY;
    for (const [i, { topics }] of members.entries()) {
      if (!topics?.has(one.topic)) continue;
      loads[i] = (loads[i] ?? 0) + 1;
      least = Math.min(least, dealFrom(at + 1));
      loads[i] = (loads[i] ?? 0) - 1;
    }
    return least;
  };
  return dealFrom(0);
}

describe("keepInPlace()", () => {
  test("R9: leaves what it can where it is when a member joins, and moves the last ones", () => {
    const t = partitionsOf("t", 5);
    const dealt = keepInPlace([member("a", t), member("b")], t);
    expect([textOf(dealt, "a"), textOf(dealt, "b")]).toEqual(["t0 t1 t2", "t3 t4"]);
  });

  test("R9: gives the partitions of one who left to the others, and moves no other", () => {
    const t = partitionsOf("t", 6);
    const dealt = keepInPlace([member("a", t.slice(4)), member("c", t.slice(0, 2))], t);
    expect([textOf(dealt, "a"), textOf(dealt, "c")]).toEqual(["t2 t4 t5", "t0 t1 t3"]);
  });

  test("R9: takes from every topic alike, so that a busy one stays spread", () => {
    const all = [...partitionsOf("t", 10), ...partitionsOf("u", 2)];
    const dealt = keepInPlace([member("a", all), member("b")], all);
    const counts = ["a", "b"].map((id) => {
      const topics = (dealt.get(id) ?? []).map(({ topic }) => topic);
      return topics.filter((topic) => topic === "t").length;
    });
    expect(counts).toEqual([5, 5]);
  });

  test("R9: the claim of the later generation wins, in either order", () => {
    const t = partitionsOf("t", 2);
    const claims = [member("a", t.slice(0, 1), 4), member("b", t.slice(0, 1), 5)];
    for (const members of [claims, claims.toReversed()]) {
      expect(textOf(keepInPlace(members, t), "b")).toBe("t0");
    }
  });

  test("R9: of two claims of one generation neither counts", () => {
    const t = partitionsOf("t", 3);
    const both = t.slice(0, 2);
    const dealt = keepInPlace([member("a", both), member("b", both), member("c", both, 0)], t);
    expect(["a", "b", "c"].map((id) => textOf(dealt, id))).toEqual(["t0", "t1", "t2"]);
  });

  test("R9: ignores claims of partitions and topics that are not dealt", () => {
    const t = partitionsOf("t", 2);
    const claims = [...partitionsOf("gone", 3), { topic: "t", partition: 9 }, ...t];
    const dealt = keepInPlace([member("a"), member("b", claims)], t);
    expect([textOf(dealt, "a"), textOf(dealt, "b")]).toEqual(["t1", "t0"]);
  });

  test("R9: a member gets no topic that it does not subscribe to, not even one it claims", () => {
    const all = [...partitionsOf("t", 2), ...partitionsOf("u", 2), ...partitionsOf("x", 1)];
    const dealt = keepInPlace(
      [member("a", all, 1, ["t"]), member("b", NOTHING, 1, ["t", "u"])],
      all,
    );
    expect([textOf(dealt, "a"), textOf(dealt, "b")]).toEqual(["t0 t1", "u0 u1"]);
  });

  test("R9: balances along a chain where no direct gift is possible", () => {
    const t = partitionsOf("t", 3);
    const u = partitionsOf("u", 3);
    const members = [
      member("a", t, 1, ["t"]),
      member("b", u.slice(0, 2), 1, ["t", "u"]),
      member("c", u.slice(2), 1, ["u"]),
    ];
    const dealt = keepInPlace(members, [...t, ...u]);
    expect([...dealt.values()].map((one) => one.length)).toEqual([2, 2, 2]);
  });

  for (const seed of SEEDS) {
    test(`R9: stays complete and balanced and moves the fewest (seed ${seed})`, () => {
      withSeed(seed, (random) => {
        const below = (n: number): number => Math.floor(random() * n);
        let nextId = 0;
        const newId = (): string => `${below(1_000)}-${nextId++}`;
        const counts = Array.from({ length: 1 + below(4) }, () => 1 + below(20));
        let ids = [newId()];
        let before: Dealt = new Map();
        for (let generation = 1; generation < 200; generation++) {
          if (below(10) === 0) counts[below(counts.length)]! += 1 + below(5);
          const all = counts.flatMap((count, i) => partitionsOf(`t${i}`, count));
          const gone = below(3) === 0 ? below(ids.length) : 0;
          ids = ids.filter(() => gone === 0 || below(ids.length) >= gone);
          for (let joins = below(3); joins > 0 || ids.length === 0; joins--) ids.push(newId());
          ids.sort();
          const members = ids.map((id) => member(id, before.get(id), generation));
          const after = keepInPlace(members, all);
          const dealt = [...after.values()].flat().map(nameOf);
          expect(dealt.toSorted()).toEqual(all.map(nameOf).toSorted());
          const loads = [...after.values()].map((one) => one.length);
          expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
          expect(keptOf(before, after)).toBe(mostKept(before, ids, all.length));
          before = after;
        }
      });
    });

    test(`R9: is as equal as different subscriptions allow, and then stays (seed ${seed})`, () => {
      withSeed(seed, (random) => {
        const below = (n: number): number => Math.floor(random() * n);
        for (let run = 0; run < 150; run++) {
          const names = ["t", "u", "v"].slice(0, 1 + below(3));
          const all = names.flatMap((topic) => partitionsOf(topic, 1 + below(3)));
          const subscriptions = Array.from({ length: 2 + below(2) }, () =>
            names.filter(() => below(3) > 0),
          );
          subscriptions[0] = names;
          const owners = all.map(() => below(subscriptions.length + 1));
          const members = subscriptions.map((topics, i) =>
            member(
              `m${i}`,
              all.filter((_, at) => owners[at] === i),
              1,
              topics,
            ),
          );
          const dealt = keepInPlace(members, all);
          for (const { memberId, topics } of members) {
            expect(dealt.get(memberId)?.every(({ topic }) => topics?.has(topic))).toBe(true);
          }
          expect([...dealt.values()].flat().length).toBe(all.length);
          const cost = costOf([...dealt.values()].map((one) => one.length));
          expect(cost).toBe(leastCost(members, all));
          const settled = members.map(({ memberId, topics }) =>
            member(memberId, dealt.get(memberId), 2, [...(topics ?? [])]),
          );
          expect(keepInPlace(settled, all)).toEqual(dealt);
        }
      });
    });
  }

  test.each([12, 50])("R9: of %d partitions all stay that may when one joins 1 to 6", (count) => {
    const t = partitionsOf("t", count);
    for (let size = 1; size <= 6; size++) {
      const ids = Array.from({ length: size + 1 }, (_, i) => `m${i}`);
      const before = keepInPlace(
        ids.slice(0, size).map((id) => member(id)),
        t,
      );
      const after = keepInPlace(
        ids.map((id) => member(id, before.get(id))),
        t,
      );
      // What the new member gets is all that moves.
      expect(keptOf(before, after)).toBe(count - Math.floor(count / (size + 1)));
    }
  });
});
