import { describe, expect, test } from "bun:test";
import { CommitPosition } from "../../src/commit/commit-position.ts";
import { Committer } from "../../src/commit/committer.ts";
import type { CommitEntry, CommitOutcome } from "../../src/source/source.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { range } from "../consumer/rig.ts";

interface Request {
  readonly atMs: number;
  readonly entries: readonly CommitEntry[];
}

function setUp(answer: (entries: readonly CommitEntry[]) => CommitOutcome = () => "stored") {
  const clock = fakeClock();
  const requests: Request[] = [];
  const errors: unknown[] = [];
  const committer = new Committer({
    clock,
    intervalMs: 1000,
    groupId: "grüße",
    send: async (entries) => {
      requests.push({ atMs: clock.now(), entries });
      return entries.map(() => answer(entries));
    },
    onError: (error) => errors.push(error),
  });
  const position = (topic = "t", partition = 0) => {
    const metadataOf = () => NO_MAP;
    const source = { mayCommit: true, committable: 0, metadataOf };
    const heard: string[] = [];
    const listener = {
      stored: (offset: number) => heard.push(`stored ${offset}`),
      refused: (outcome: string) => heard.push(outcome),
    };
    const made = new CommitPosition(
      { topic, partition },
      source,
      { offset: 0, metadata: "" },
      listener,
    );
    return { position: made, source, heard };
  };
  return { clock, requests, errors, committer, position };
}

const NO_MAP = { text: "", completed: 0, truncated: false };

describe("Committer", () => {
  test("O4: changed() commits after the interval, once for many changes", async () => {
    const { clock, requests, committer, position } = setUp();
    const one = position();
    for (let i = 1; i <= 20; i++) {
      one.source.committable = i;
      committer.changed(one.position, false);
      await clock.advance(10);
    }
    await clock.advance(5000);
    expect(requests.map(({ atMs, entries }) => [atMs, entries[0]?.offset])).toEqual([[1000, 20]]);
    expect(one.heard).toEqual(["stored 20"]);
    expect(clock.pendingTimers()).toBe(0);
  });

  test("O4: a partition that becomes idle is committed after 50 ms, also when a timer was set for later", async () => {
    const { clock, requests, committer, position } = setUp();
    const one = position();
    one.source.committable = 5;
    committer.changed(one.position, false);
    await clock.advance(300);
    committer.changed(one.position, true);
    await clock.advance(2000);
    expect(requests.map(({ atMs }) => atMs)).toEqual([350]);
  });

  test("O4: the newest entry of each partition travels, all of them in one request", async () => {
    const { clock, requests, committer, position } = setUp();
    const all = range(5).map((i) => position("t", i));
    for (const one of all) {
      one.source.committable = 3;
      committer.changed(one.position, false);
    }
    all[2]!.source.committable = 9;
    await clock.advance(1000);
    expect(requests).toHaveLength(1);
    expect(requests[0]?.entries.map((entry) => entry.offset)).toEqual([3, 3, 9, 3, 3]);
  });

  test("O4: requests stay under 900,000 bytes of UTF-8 texts and 64 a partition", async () => {
    const { clock, requests, committer, position } = setUp();
    const topic = "ü".repeat(200);
    const all = range(5000).map((i) => position(topic, i));
    for (const one of all) {
      one.source.committable = 1;
      committer.changed(one.position, false);
    }
    await clock.advance(1000);
    expect(requests.length).toBeGreaterThan(1);
    const bytes = new TextEncoder().encode(`${topic}grüße`).length + 64;
    for (const { entries } of requests) {
      expect(entries.length * bytes).toBeLessThanOrEqual(900_000);
    }
    expect(requests.flatMap(({ entries }) => entries)).toHaveLength(5000);
    expect(requests).toHaveLength(Math.ceil((5000 * bytes) / 900_000));
  });

  test("O4: what was not stored is sent again; a fenced lease is not", async () => {
    const answers: CommitOutcome[] = ["retry", "not-now", "stored", "fenced"];
    const { clock, requests, committer, position } = setUp(() => answers.shift() ?? "stored");
    const one = position();
    one.source.committable = 5;
    committer.changed(one.position, true);
    await clock.advance(5000);
    expect(one.heard).toEqual(["retry", "not-now", "stored 5"]);
    one.source.committable = 6;
    committer.changed(one.position, true);
    await clock.advance(60_000);
    expect(one.heard.at(-1)).toBe("fenced");
    expect(requests).toHaveLength(4);
    expect(one.position.mayCommit).toBe(false);
    expect(clock.pendingTimers()).toBe(0);
  });

  test("R5: the lease is looked at in the tick that sends", async () => {
    const { clock, requests, committer, position } = setUp();
    const one = position();
    const other = position("t", 1);
    one.source.committable = 5;
    other.source.committable = 7;
    committer.changed(one.position, false);
    committer.changed(other.position, false);
    one.source.mayCommit = false;
    await clock.advance(1000);
    expect(requests.flatMap(({ entries }) => entries.map((entry) => entry.offset))).toEqual([7]);
  });

  test("O4: flush() tries until all is stored or its deadline has passed, and says what is left", async () => {
    let broken = true;
    const { clock, committer, position } = setUp(() => (broken ? "retry" : "stored"));
    const one = position();
    one.source.committable = 5;
    const left: { now: unknown } = { now: null };
    void committer.flush([one.position], 2000).then((result) => {
      left.now = result;
    });
    await clock.advance(1000);
    expect(left.now).toBeNull();
    broken = false;
    await clock.advance(200);
    expect(left.now).toEqual([]);
    broken = true;
    one.source.committable = 6;
    left.now = null;
    void committer.flush([one.position], clock.now() + 500).then((result) => {
      left.now = result;
    });
    await clock.advance(501);
    expect(left.now).toEqual([one.position]);
  });

  test("O4: flush() tries once when its deadline is over already", async () => {
    const { clock, committer, position, requests } = setUp();
    const one = position();
    one.source.committable = 5;
    await clock.advance(100);
    expect(await committer.flush([one.position], 50)).toEqual([]);
    expect(requests).toHaveLength(1);
  });

  test("close() drops what is waiting and leaves no timer", async () => {
    const { clock, requests, committer, position } = setUp();
    const one = position();
    one.source.committable = 5;
    committer.changed(one.position, false);
    committer.close();
    committer.changed(one.position, true);
    expect(clock.pendingTimers()).toBe(0);
    await clock.advance(5000);
    expect(requests).toEqual([]);
  });

  test("a partition whose start must be stored is sent in this turn, also without progress (O10)", async () => {
    const { clock, requests, committer } = setUp();
    const listener = { stored: () => {}, refused: () => {} };
    const source = { mayCommit: true, committable: 42, metadataOf: () => NO_MAP };
    const lease = { topic: "t", partition: 0 };
    const position = new CommitPosition(lease, source, null, listener);
    expect(position.pendingCommit()).toMatchObject({ offset: 42, metadata: "" });
    committer.changedNow(position);
    await clock.advance(0);
    expect(requests).toHaveLength(1);
    expect(position.stored).toBe(42);
    expect(position.pendingCommit()).toBeNull();
  });
});
