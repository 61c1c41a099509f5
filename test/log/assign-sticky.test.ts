import { describe, expect, test } from "bun:test";
import { assignSticky } from "../../src/log/assign-sticky.ts";
import type { AssignableMember } from "../../src/log/assignor.ts";
import { random } from "./temporary.ts";

interface Member extends AssignableMember {
  readonly name: string;
}

function member(name: string, ...topics: string[]): Member {
  return { name, topics };
}

function partitions(topic: string, owners: readonly (Member | undefined)[]) {
  return owners.map((owner, partition) => ({ topic, partition, owner }));
}

describe("assignSticky()", () => {
  test("shares new partitions evenly", () => {
    const [a, b] = [member("a", "t"), member("b", "t")];
    const owners = assignSticky([a, b], partitions("t", Array(5).fill(undefined)));
    expect(owners.map((one) => one?.name)).toEqual(["a", "b", "a", "b", "a"]);
  });

  test("moves only what a new member needs, the last ones", () => {
    const [a, b] = [member("a", "t"), member("b", "t")];
    const owners = assignSticky([a, b], partitions("t", [a, a, a, a]));
    expect(owners.map((one) => one?.name)).toEqual(["a", "a", "b", "b"]);
  });

  test("keeps what is balanced, and gives the partitions of one who left to the others", () => {
    const [a, b, gone] = [member("a", "t"), member("b", "t"), member("c", "t")];
    const owners = assignSticky([a, b], partitions("t", [b, gone, a, b, gone]));
    expect(owners.map((one) => one?.name)).toEqual(["b", "a", "a", "b", "a"]);
  });

  test("gives a topic only to members that want it", () => {
    const [a, b] = [member("a", "t"), member("b", "u")];
    const all = [...partitions("t", [undefined, undefined]), ...partitions("x", [undefined])];
    const owners = assignSticky([a, b], all);
    expect(owners.map((one) => one?.name)).toEqual(["a", "a", undefined]);
  });

  test("balances within one and settles at once, from any owners", () => {
    for (let seed = 0; seed < 200; seed++) {
      const next = random(seed);
      const members = Array.from({ length: 1 + (next() % 5) }, (_, at) => member(`m${at}`, "t"));
      const owners = Array.from({ length: next() % 12 }, () => members[next() % 8]);
      const first = assignSticky(members, partitions("t", owners));
      const again = assignSticky(members, partitions("t", first));
      const loads = members.map((one) => first.filter((owner) => owner === one).length);
      const spread = Math.max(...loads) - Math.min(...loads);
      expect([seed, first.length, spread <= 1]).toEqual([seed, owners.length, true]);
      expect(again).toEqual(first);
    }
  });
});
