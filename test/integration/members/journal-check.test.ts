/** The judge of the crash tests must see what it is there for. */
import { describe, expect, test } from "bun:test";
import type { HandlerEntry, JournalEntry, OtherEntry } from "./journal.ts";
import { checkJournal, type JournalReport } from "./journal-check.ts";

/** `a s3`: member a starts offset 3; `e`: ended, `f`: failed; `d`: dead-lettered; `c5`: stored 5. */
function report(story: string, logEnd: number, key: (offset: number) => string): JournalReport {
  const entries: JournalEntry[] = story.split(", ").map((line, atMs) => {
    const [member, what] = line.split(" ") as [string, string];
    return { ...entryOf(member, what, key), member, atMs };
  });
  return checkJournal(entries, new Map([["t#0", logEnd]]));
}

function entryOf(
  member: string,
  what: string,
  key: (offset: number) => string,
): HandlerEntry | OtherEntry {
  const offset = Number(what.slice(1));
  const place = { topic: "t", partition: 0, offset };
  switch (what[0]) {
    case "s":
      return { kind: "start", ...place, key: key(offset) };
    case "e":
      return { kind: "end", ...place, key: key(offset) };
    case "f":
      return { kind: "fail", ...place, key: key(offset) };
    case "d":
      return { kind: "deadLettered", ...place };
    case "c":
      return { kind: "committed", ...place, mapSize: 0 };
    case "a":
      return { kind: "assigned", ...place };
    default:
      return { kind: "exited", of: member };
  }
}

const oneKey = (): string => "k";
const evenOdd = (offset: number): string => (offset % 2 === 0 ? "even" : "odd");

/** Name, story, log end, first words of the order breaks. */
const stories: [string, string, number, string[]][] = [
  ["in order", "a s0, a e0, a s1, a e1", 2, []],
  ["a tail again after a crash", "a s0, a e0, a s1, a e1, a x, b s0, b e0, b s1, b e1", 2, []],
  ["the running one again after a crash", "a s0, a x, b s0, b e0, b s1, b e1", 2, []],
  ["a retry", "a a0, a s0, a f0, a s0, a e0, a s1, a e1", 2, []],
  ["a dead letter", "a s0, a f0, a d0, a s1, a e1", 2, []],
  ["overtaken", "a s1, a e1, a s0, a e0", 2, ["overtaken", "rewound"]],
  ["overtaken by another member", "a s0, a x, b s1, b e1, b s0, b e0", 2, ["overtaken", "rewound"]],
  ["beside its predecessor", "a s0, b s1, a e0, b e1", 2, ["overtaken", "overlapped"]],
  ["beside itself", "a s0, b s0, a e0, b e0", 1, ["overlapped"]],
  ["an old one alone again", "a s0, a e0, a s1, a e1, a x, b s0, b e0", 2, ["rewound"]],
  ["twice in a lease", "a a0, a s0, a e0, a s0, a e0, a s1, a e1", 2, ["descending"]],
  ["past a failure", "a s0, a f0, a s1, a e1, a s0, a e0", 2, ["overtaken", "descending"]],
];

describe("checkJournal()", () => {
  test.each(stories)("judges the order of a key: %s", (_name, story, logEnd, breaks) => {
    const found = report(story, logEnd, oneKey);
    expect(found.lost).toEqual([]);
    const kinds = new Set(found.orderBreaks.map((line) => line.split(":")[0]));
    for (const kind of breaks) expect([...kinds]).toContain(kind);
    expect(kinds.size === 0).toBe(breaks.length === 0);
  });

  test("lets keys pass each other, and counts repeats by member", () => {
    const story = "a s1, a s0, a e1, a e0, a x, b s1, b e1, b s2, b e2";
    const found = report(story, 3, evenOdd);
    expect(found).toMatchObject({ handled: 4, repeats: 1, orderBreaks: [], lost: [] });
    expect([...found.repeatsOf]).toEqual([["b", 1]]);
  });

  test("finds what was never done, also when it never started", () => {
    expect(report("a s1, a e1, a s0", 3, evenOdd).lost).toEqual(["t#0@0", "t#0@2"]);
  });

  test("finds a commit that passes an open message", () => {
    expect(report("a s0, a s1, a e1, a c1", 2, evenOdd).earlyCommits.length).toBe(1);
    expect(report("a s0, a s1, a e0, a c1, a e1", 2, evenOdd).earlyCommits).toEqual([]);
  });

  test("finds what is handled again below a stored offset, and nothing above it", () => {
    const story = "a s0, a e0, a s1, a e1, a c1, a x, b s0, b e0, b s1, b e1";
    expect(report(story, 2, oneKey).storedRepeats).toEqual(["t#0@0 by b"]);
  });
});
