import { describe, expect, test } from "bun:test";
import type { CommitOutcome } from "../../src/source/source.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import { commit, Notes, never, open, settle, started, values } from "./notes.ts";

describe("memorySource commits", () => {
  test("commits() lists what was stored, and the next consumer starts from it", async () => {
    const memory = memorySource();
    const [first, notes] = await started(memory);
    memory.deliver("t", 0, values(3));
    await settle();
    expect(await commit(first, notes.leases[0], 2)).toBe("stored");
    expect(memory.commits()).toEqual([
      { groupId: "g", member: 0, topic: "t", partition: 0, offset: 2, metadata: "m" },
    ]);
    await first.stop({ leave: true, signal: never });
    const [, later] = await started(memory);
    await settle();
    expect(later.assignments[0]?.committed).toEqual({ offset: 2, metadata: "m" });
    expect(later.offsets()).toEqual([[2]]);
  });

  test("O10: setCommitted() makes the group known for other partitions, and an offset below 0 is none", async () => {
    const memory = memorySource({ topics: { t: 2, u: 1 } });
    memory.setCommitted("g", "t", 1, -1);
    const [, before] = await started(memory);
    expect(before.assignments.map((one) => one.groupKnowsTopic)).toEqual([false, false]);
    expect(before.assignments[1]?.committed).toBe(null);
    const again = memorySource({ topics: { t: 2 } });
    again.setCommitted("g", "t", 1, 0);
    const [, after] = await started(again);
    expect(after.assignments.map((one) => one.groupKnowsTopic)).toEqual([true, false]);
  });

  test("failNextCommit() answers the next requests as planned, then they are stored again", async () => {
    const memory = memorySource();
    const [source, notes] = await started(memory);
    const lease = notes.leases[0];
    memory.failNextCommit("not-now", 2);
    memory.failNextCommit("stored-unknown");
    const outcomes = [];
    for (let i = 0; i < 4; i++) outcomes.push(await commit(source, lease, i));
    expect(outcomes).toEqual(["not-now", "not-now", "retry", "stored"]);
    expect(memory.commits().map((one) => one.offset)).toEqual([2, 3]);
    expect(memory.commitAttempts().map((one) => [one.request, one.outcome, one.stored])).toEqual([
      [0, "not-now", false],
      [1, "not-now", false],
      [2, "retry", true],
      [3, "stored", true],
    ]);
    expect(() => memory.failNextCommit("lost" as never)).toThrow(RangeError);
  });

  test("failNextCommit() with hang answers retry, and stores nothing, when the signal aborts", async () => {
    const memory = memorySource();
    const [source, notes] = await started(memory);
    memory.failNextCommit("hang");
    const control = new AbortController();
    const answer = commit(source, notes.leases[0], 1, control.signal);
    await settle();
    expect(memory.commitAttempts()[0]?.outcome).toBe(null);
    control.abort();
    expect(await answer).toBe("retry");
    expect(memory.commits()).toEqual([]);
  });

  test("commit() answers too-large when the metadata is longer than the limit", async () => {
    const memory = memorySource({ maxMetadataLength: 0 });
    const [source, notes] = await started(memory);
    expect(await commit(source, notes.leases[0], 1)).toBe("too-large");
  });

  test("options.onCommit chooses the answer, and a promise holds the request", async () => {
    let arrive = (_: CommitOutcome): void => {};
    const memory = memorySource({
      onCommit: (entries) =>
        entries[0]?.offset === 1
          ? "denied"
          : new Promise((resolve) => {
              arrive = resolve;
            }),
    });
    const [source, notes] = await started(memory);
    expect(await commit(source, notes.leases[0], 1)).toBe("denied");
    const late = commit(source, notes.leases[0], 2);
    await memory.lose([{ topic: "t", partition: 0 }]);
    arrive("stored");
    expect(await late).toBe("fenced");
    // It was sent while the lease lived.
    expect(memory.staleCommits()).toEqual([]);
    expect(memory.commits()).toEqual([]);
  });

  test("staleCommits() lists commits that were sent when the lease was over", async () => {
    const memory = memorySource();
    const [source, notes] = await started(memory);
    await memory.lose([{ topic: "t", partition: 0 }]);
    expect(await commit(source, notes.leases[0], 1)).toBe("fenced");
    expect(memory.staleCommits().map((one) => one.offset)).toEqual([1]);
    expect(memory.commits()).toEqual([]);
  });

  test("commit() is stored when the listener sends it from assigned()", async () => {
    const memory = memorySource();
    const source = open(memory);
    const notes = new Notes();
    const answers: Promise<CommitOutcome | undefined>[] = [];
    notes.start = (one) => {
      answers.push(commit(source, one.lease, 0));
      return 0;
    };
    await source.start(notes);
    expect(await answers[0]).toBe("stored");
  });
});
