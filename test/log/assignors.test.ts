import { describe, expect, test } from "bun:test";
import type { Assignable, AssignableMember } from "../../src/log/assignor.ts";
import { type AssignorName, assignors } from "../../src/log/assignors.ts";
import { random } from "./temporary.ts";

const SEEDS = 300;
const names: readonly AssignorName[] = ["range", "round-robin", "sticky"];

interface Member extends AssignableMember {
  readonly name: string;
}

type Owners = (Member | undefined)[];

function topicOf(topic: string, count: number): Assignable<Member>[] {
  return Array.from({ length: count }, (_, partition) => ({ topic, partition, owner: undefined }));
}

function owned(partitions: readonly Assignable<Member>[], owners: Owners): Assignable<Member>[] {
  return partitions.map((one, at) => ({ ...one, owner: owners[at] }));
}

function loadsOf(members: readonly Member[], owners: Owners): number[] {
  return members.map((one) => owners.filter((owner) => owner === one).length);
}

function spread(loads: readonly number[]): number {
  return loads.length === 0 ? 0 : Math.max(...loads) - Math.min(...loads);
}

/** Some members with some topics, some partitions with owners who may have left. */
function scene(seed: number, sameTopics: boolean) {
  const next = random(seed);
  const topics = ["a", "b", "c"].slice(0, 1 + (next() % 3));
  const all: Member[] = Array.from({ length: 1 + (next() % 6) }, (_, at) => ({
    name: `m${at}`,
    topics: sameTopics ? topics : topics.filter(() => next() % 3 > 0),
  }));
  const members = all.filter(() => next() % 4 > 0);
  const partitions = topics
    .flatMap((topic) => topicOf(topic, next() % 9))
    .map((one) => {
      const wanting = all.filter((member) => member.topics.includes(one.topic));
      const owner = next() % 3 === 0 ? undefined : wanting[next() % Math.max(1, wanting.length)];
      return { ...one, owner };
    });
  return { members, partitions };
}

describe("assignors", () => {
  test.each(names)("%s: every partition has one owner that wants it, if anybody does", (name) => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { members, partitions } = scene(seed, seed % 2 === 0);
      const owners = assignors[name].assign(members, partitions);
      expect([seed, owners.length]).toEqual([seed, partitions.length]);
      partitions.forEach(({ topic }, at) => {
        const wanting = members.filter((member) => member.topics.includes(topic));
        const good = wanting.length === 0 ? undefined : wanting.includes(owners[at]!);
        expect([seed, at, owners[at] && good]).toEqual([seed, at, good]);
      });
    }
  });

  test.each(names)("%s: the same input gives the same answer", (name) => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { members, partitions } = scene(seed, false);
      const first = assignors[name].assign(members, partitions);
      expect(assignors[name].assign(members, partitions)).toEqual(first);
      // What was assigned is no reason to move anything.
      const again = assignors[name].assign(members, owned(partitions, first));
      expect([seed, again]).toEqual([seed, first]);
    }
  });

  test.each(["round-robin", "sticky"] as const)(
    "%s: members of the same topics differ by one partition at most",
    (name) => {
      for (let seed = 0; seed < SEEDS; seed++) {
        const { members, partitions } = scene(seed, true);
        const owners = assignors[name].assign(members, partitions);
        expect([seed, spread(loadsOf(members, owners)) <= 1]).toEqual([seed, true]);
      }
    },
  );

  test("range: in each topic, members differ by one and hold neighbours, the first ones more", () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { members, partitions } = scene(seed, false);
      const owners = assignors.range.assign(members, partitions);
      for (const topic of ["a", "b", "c"]) {
        const mine = owners.filter((_, at) => partitions[at]!.topic === topic);
        const wanting = members.filter((member) => member.topics.includes(topic));
        const loads = loadsOf(wanting, mine);
        expect([seed, spread(loads) <= 1]).toEqual([seed, true]);
        expect(loads).toEqual(loads.toSorted((a, b) => b - a));
        // In the order of the members, each one's partitions together.
        const order = mine.map((owner) => wanting.indexOf(owner!));
        expect([seed, order]).toEqual([seed, order.toSorted((a, b) => a - b)]);
      }
    }
  });

  test("range: topics of one size are cut alike", () => {
    const members = ["x", "y"].map((name) => ({ name, topics: ["a", "b"] }));
    const partitions = [...topicOf("a", 5), ...topicOf("b", 5)];
    const owners = assignors.range.assign(members, partitions).map((one) => one?.name);
    expect(owners).toEqual([..."xxxyy", ..."xxxyy"]);
  });

  test("round-robin: deals over the border of topics, past those who do not want one", () => {
    const [x, y] = [
      { name: "x", topics: ["a", "b"] },
      { name: "y", topics: ["a"] },
    ];
    const partitions = [...topicOf("a", 3), ...topicOf("b", 2), ...topicOf("c", 1)];
    const owners = assignors["round-robin"].assign([x, y], partitions).map((one) => one?.name);
    expect(owners).toEqual(["x", "y", "x", "x", "x", undefined]);
    const both = assignors["round-robin"].assign([x, { ...y, topics: ["a", "b"] }], partitions);
    expect(both.map((one) => one?.name)).toEqual(["x", "y", "x", "y", "x", undefined]);
  });

  test("sticky: moves no partition that could have stayed", () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { members, partitions } = scene(seed, true);
      if (members.length === 0) continue;
      const owners = assignors.sticky.assign(members, partitions);
      const kept = partitions.filter(({ owner }, at) => owner && owners[at] === owner).length;
      // The most that any balanced answer can leave in place: each member keeps what it has up to
      // its share, and those with most may have the longer shares.
      const least = Math.floor(partitions.length / members.length);
      const longer = partitions.length % members.length;
      const before = loadsOf(
        members,
        partitions.map(({ owner }) => owner),
      ).toSorted((a, b) => b - a);
      const most = before.reduce(
        (sum, load, at) => sum + Math.min(load, least + (at < longer ? 1 : 0)),
        0,
      );
      expect([seed, kept]).toEqual([seed, most]);
    }
  });

  test("sticky: with different topics, no single move would even the loads out", () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { members, partitions } = scene(seed, false);
      const owners = assignors.sticky.assign(members, partitions);
      const load = new Map(members.map((one, at) => [one, loadsOf(members, owners)[at]!]));
      partitions.forEach(({ topic }, at) => {
        const from = owners[at];
        if (from === undefined) return;
        for (const to of members.filter((member) => member.topics.includes(topic))) {
          expect([seed, at, load.get(from)! - load.get(to)! < 2]).toEqual([seed, at, true]);
        }
      });
    }
  });
});
