import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { UNKNOWN_VERSION } from "../../src/metadata/segmentation.ts";
import {
  collapseSegments,
  distributeSegments,
  resetSegments,
  SegmentOffsetsError,
  type SegmentsOptions,
} from "../../src/segments/index.ts";
import { removeTemporary } from "../log/temporary.ts";
import { doneOf, logPlace, memoryPlace, openLogPlace, type Place } from "./places.ts";

const SEGMENTS = ["g-parallel-0", "g-parallel-1", "g-parallel-2"] as const;
const [S0, S1, S2] = SEGMENTS;
const OF_THREE = { count: 3, version: UNKNOWN_VERSION };

/** What a refused call found. */
async function refusalOf(call: Promise<unknown>): Promise<SegmentOffsetsError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SegmentOffsetsError);
  return error as SegmentOffsetsError;
}

let directory: string | undefined;

/** One log for all tests: each begins without groups. */
async function sharedLog(): Promise<Place> {
  if (directory !== undefined) return openLogPlace(directory);
  const place = await logPlace();
  directory = place.directory;
  return place;
}

for (const [name, open] of [
  ["in memory", memoryPlace],
  ["in a log", sharedLog],
] as const) {
  describe(`offsets of segments ${name}`, () => {
    let place: Place;
    let options: SegmentsOptions;
    beforeEach(async () => {
      place = await open();
      options = { source: place.source, groupId: "g", topics: ["orders"], count: 3 };
    });
    afterEach(() => place.close());
    afterAll(removeTemporary);

    /** The call is refused, and nothing that any group has stored changes. */
    async function refuses(
      move: (options: SegmentsOptions) => Promise<unknown>,
      more: Partial<SegmentsOptions> = {},
    ): Promise<SegmentOffsetsError> {
      const before = await place.stored("g", ...SEGMENTS, "other");
      const error = await refusalOf(move({ ...options, ...more }));
      expect(error.written).toEqual([]);
      expect(await place.stored("g", ...SEGMENTS, "other")).toEqual(before);
      return error;
    }

    test("S5: distribute gives every segment the origin's offsets, maps and texts", async () => {
      const userText = "checkpoint";
      await place.commit("g", "orders#0", 40, { done: [42, 50, 60, 61], userText });
      await place.commit("g", "orders#1", 7);
      await place.commit("g", "payments#0", 3);
      await place.commit("other", "orders#0", 9);
      const origin = await place.stored("g", "other");
      const report = await distributeSegments(options);
      expect(await place.stored("g", "other")).toEqual(origin);
      for (const groupId of SEGMENTS) {
        const first = await place.position(groupId, "orders#0");
        expect([first?.offset, first?.userText]).toEqual([40, userText]);
        expect(doneOf(first)).toEqual([42, 50, 60, 61]);
        expect(first?.segmentation).toEqual(OF_THREE);
        const second = await place.position(groupId, "orders#1");
        expect([second?.offset, second?.userText, doneOf(second)]).toEqual([7, null, []]);
        expect(await place.position(groupId, "payments#0")).toBeUndefined();
      }
      const { offsets, ...rest } = report;
      expect(rest).toEqual({
        ...{ action: "distribute", groupId: "g", count: 3, mergeKey: "-parallel-" },
        ...{ dryRun: false, force: false, neverCommitted: [] },
      });
      expect(offsets.length).toBe(6);
      expect(offsets[0]).toEqual({
        ...{ groupId: S0, segment: 0, topic: "orders", partition: 0 },
        ...{ before: null, offset: 40, completed: 9, dropped: 0 },
      });
    });

    test("S5: distribute takes all topics of the origin where none are named", async () => {
      await place.commit("g", "orders#1", 7);
      await place.commit("g", "payments#0", 3);
      const { source } = place;
      const report = await distributeSegments({ source, groupId: "g", count: 2, mergeKey: "." });
      expect(report.neverCommitted).toEqual([{ topic: "orders", partition: 0 }]);
      expect(Object.keys(await place.stored("g.0", "g.1"))).toEqual(
        ["g.0", "g.1"].flatMap((group) => [`${group} orders#1`, `${group} payments#0`]),
      );
    });

    test("S5: distribute refuses offsets that exist already, and overwrites them with force", async () => {
      await place.commit("g", "orders#0", 40);
      await place.commit("g", "orders#1", 41);
      await place.commit(S1, "orders#1", 5, { segmentation: { count: 2, version: "a" } });
      const { message, problems } = await refuses(distributeSegments);
      expect(message).toBe(
        "Cannot distribute segments as no segment may have an offset without force: " +
          'received segment 1 "g-parallel-1" orders#1 offset 5',
      );
      expect(problems).toEqual([
        {
          ...{ code: "existing-offset", groupId: S1, segment: 1 },
          ...{ topic: "orders", partition: 1, offset: 5 },
          received: 'segment 1 "g-parallel-1" orders#1 offset 5',
        },
      ]);
      await distributeSegments({ ...options, force: true, version: "b" });
      const now = await place.position(S1, "orders#1");
      expect([now?.offset, now?.segmentation]).toEqual([41, { count: 3, version: "b" }]);
    });

    test("S5: never committed is a state of its own: distribute neither copies nor covers it", async () => {
      await place.commit("g", "orders#0", 40);
      await place.commit(S2, "orders#1", 5);
      for (const force of [false, true]) {
        const { message } = await refuses(distributeSegments, { force });
        expect(message).toContain(
          "as the origin must have an offset where a segment has one: " +
            'received segment 2 "g-parallel-2" orders#1 offset 5',
        );
      }
    });

    test("S5: collapse writes the common offset with what all segments have done", async () => {
      await place.commit("g", "orders#0", 1, { done: [3, 4] });
      const segmentation = { count: 3, version: "v" };
      await place.commit(S0, "orders#0", 40, { done: [42, 50, 60, 90], segmentation });
      await place.commit(S1, "orders#0", 40, { done: [41, 48, 49, 80], segmentation });
      await place.commit(S2, "orders#0", 40, { done: [41, 70, 75, 99], segmentation });
      const segments = await place.stored(...SEGMENTS);
      const report = await collapseSegments(options);
      expect(await place.stored(...SEGMENTS)).toEqual(segments);
      const position = await place.position("g", "orders#0");
      expect([position?.offset, position?.segmentation]).toEqual([40, null]);
      expect(doneOf(position)).toEqual([42, 48, 49, 50, 60, 70, 75, 80]);
      expect(report.offsets).toEqual([
        {
          ...{ groupId: "g", segment: null, topic: "orders", partition: 0 },
          ...{ before: 1, offset: 40, completed: 22, dropped: 0 },
        },
      ]);
      expect(report.neverCommitted).toEqual([{ topic: "orders", partition: 1 }]);
    });

    test("S5: collapse refuses offsets that differ; forced it takes the lowest", async () => {
      await place.commit(S0, "orders#1", 40, { done: [42, 50], userText: "lowest" });
      await place.commit(S1, "orders#1", 45, { userText: "not this" });
      await place.commit(S2, "orders#1", 100);
      const { message, problems } = await refuses(collapseSegments);
      expect(message).toBe(
        "Cannot collapse segments as all segments must be at one offset without force: received " +
          'segment 0 "g-parallel-0" orders#1 offset 40, ' +
          'segment 1 "g-parallel-1" orders#1 offset 45, ' +
          'segment 2 "g-parallel-2" orders#1 offset 100',
      );
      expect(problems.map(({ offset }) => offset)).toEqual([40, 45, 100]);
      await collapseSegments({ ...options, force: true });
      const position = await place.position("g", "orders#1");
      expect([position?.offset, position?.userText]).toEqual([40, "lowest"]);
      // Below 45 segment 1 has done its share, and the others' is none of it.
      expect(doneOf(position)).toEqual([42, 45]);
    });

    test("S5: a segment that never committed is where the origin was left, in a forced collapse", async () => {
      await place.commit("g", "orders#0", 10, { done: [12, 20] });
      await place.commit(S0, "orders#0", 40);
      await place.commit(S1, "orders#0", 40);
      const { message } = await refuses(collapseSegments);
      expect(message).toContain('segment 2 "g-parallel-2" orders#0 never committed');
      await collapseSegments({ ...options, force: true });
      const position = await place.position("g", "orders#0");
      expect([position?.offset, doneOf(position)]).toEqual([10, [12, 20]]);
    });

    test("S5: a segment that never committed is left out where the origin has no offset either", async () => {
      await place.commit(S0, "orders#0", 40);
      await place.commit(S1, "orders#0", 50);
      await collapseSegments({ ...options, force: true });
      expect((await place.position("g", "orders#0"))?.offset).toBe(40);
    });

    test("S5: reset brings all groups to the lowest offset", async () => {
      await place.commit("g", "orders#0", 1);
      await place.commit(S0, "orders#0", 40, { done: [42, 50] });
      await place.commit(S1, "orders#0", 48, { done: [49, 60] });
      await place.commit(S2, "orders#0", 60);
      const { message } = await refuses(resetSegments);
      expect(message).toContain("Cannot reset segments as all segments must be at one offset");
      const report = await resetSegments({ ...options, force: true });
      expect(report.offsets.map(({ before }) => before)).toEqual([1, 40, 48, 60]);
      for (const groupId of ["g", ...SEGMENTS]) {
        const position = await place.position(groupId, "orders#0");
        expect([position?.offset, doneOf(position)]).toEqual([40, [42, 48, 49, 50]]);
        expect(position?.segmentation).toEqual(groupId === "g" ? null : OF_THREE);
      }
    });

    test("S6: dryRun answers what would be written, and writes nothing", async () => {
      await place.commit("g", "orders#0", 40, { done: [42, 50] });
      const before = await place.stored("g", ...SEGMENTS);
      const dry = await distributeSegments({ ...options, dryRun: true });
      expect(await place.stored("g", ...SEGMENTS)).toEqual(before);
      const real = await distributeSegments(options);
      expect({ ...dry, dryRun: false }).toEqual(real);
    });

    for (const move of [distributeSegments, collapseSegments, resetSegments]) {
      test(`S6: ${move.name} refuses while any of the groups runs, forced or not`, async () => {
        for (const groupId of ["g", ...SEGMENTS]) await place.commit(groupId, "orders#0", 40);
        for (const groupId of ["g", S1]) {
          // A member that reads another topic is a member too.
          const stop = await place.run(groupId, "payments");
          const { problems } = await refuses(move, { force: true });
          expect(problems.map(({ code, groupId: id }) => [code, id])).toEqual([
            ["running", groupId],
          ]);
          await stop();
        }
        await move({ ...options, force: true });
      });

      test(`S6: ${move.name} names what it does not know`, async () => {
        const codes = async (more: Partial<SegmentsOptions>): Promise<unknown> =>
          (await refuses(move, more)).problems.map(({ code, topic }) => [code, topic]);
        const groups = move === distributeSegments ? 1 : 3;
        const unknown = Array(groups).fill(["unknown-group", null]);
        expect(await codes({})).toEqual(unknown);
        const { topics: _, ...withoutTopics } = options;
        const error = await refusalOf(move(withoutTopics));
        expect(error.problems.map(({ code, topic }) => [code, topic])).toEqual(unknown);
        for (const groupId of ["g", ...SEGMENTS]) await place.commit(groupId, "orders#0", 40);
        const none = Array(groups).fill(["no-offset", "payments"]);
        expect(await codes({ topics: ["orders", "payments"], force: true })).toEqual(none);
        expect(await codes({ topics: ["orders", "missing"], force: true })).toEqual([
          ["missing-topic", "missing"],
        ]);
        expect(await codes({ topics: ["missing"], force: true })).toEqual([
          ["missing-topic", "missing"],
        ]);
      });
    }

    test("S6, S8: another segmentation is refused, forced or not", async () => {
      for (const groupId of SEGMENTS) await place.commit(groupId, "orders#0", 40);
      const segmentation = { count: 3, version: "a" };
      await place.commit(S0, "orders#0", 40, { segmentation });
      await place.commit(S1, "orders#0", 40, { segmentation: { count: 4, version: "a" } });
      await place.commit(S2, "orders#0", 40, { segmentation: { count: 3, version: "b" } });
      for (const move of [collapseSegments, resetSegments]) {
        const { problems } = await refuses(move, { force: true });
        expect(problems.map(({ received }) => received)).toEqual([
          'segment 1 "g-parallel-1" orders#0 offset 40 of 4 segments, version "a"',
          'segment 2 "g-parallel-2" orders#0 offset 40 of 3 segments, version "b"',
        ]);
      }
      const { problems } = await refuses(collapseSegments, { version: "c" });
      expect(problems.length).toBe(3);
      // A segment is no origin.
      await place.commit("other", "orders#0", 40);
      const nested = await refuses(distributeSegments, { groupId: S0, force: true });
      expect(nested.message).toContain(
        'received group "g-parallel-0" orders#0 offset 40 of 3 segments, version "a"',
      );
    });

    test("S6: offsets past the log's end are refused unless forced", async () => {
      await place.commit("g", "orders#0", 201);
      const { message } = await refuses(distributeSegments);
      expect(message).toContain('received group "g" orders#0 offset 201 past 200');
      await distributeSegments({ ...options, force: true });
      await refuses(collapseSegments);
      expect((await place.position(S2, "orders#0"))?.offset).toBe(201);
    });

    test("what the metadata has no room for is told", async () => {
      const done = Array.from({ length: 50 }, (_, at) => 42 + at * 3 + ((at * at) % 3));
      await place.commit("g", "orders#0", 40, { done });
      const report = await distributeSegments({ ...options, maxMetadataLength: 22 });
      const [{ completed, dropped }] = report.offsets as [(typeof report.offsets)[0]];
      const all = doneOf(await place.position("g", "orders#0"));
      const count = all.reduce((sum, bound, at) => sum + (at % 2 === 0 ? -bound : bound), 0);
      expect(completed + dropped).toBe(count);
      expect(dropped).toBeGreaterThan(0);
      const kept = doneOf(await place.position(S0, "orders#0"));
      expect(kept).toEqual(all.slice(0, kept.length));
    });
  });
}

describe("offsets of segments", () => {
  test("S6: a refusal between two groups names what was written before it", async () => {
    const place = await memoryPlace();
    await place.commit("g", "orders#0", 40);
    place.memory.failNextCommit("stored");
    place.memory.failNextCommit("denied");
    const options = { source: place.source, groupId: "g", topics: ["orders"], count: 3 };
    const { message, written, problems } = await refusalOf(distributeSegments(options));
    expect(message).toBe(
      'Cannot distribute segments as segment 1 "g-parallel-1" must take its offsets in "orders": ' +
        'received a refusal after segment 0 "g-parallel-0" orders#0 offset 40 was written',
    );
    expect(written.map(({ groupId, offset }) => [groupId, offset])).toEqual([[S0, 40]]);
    expect(problems).toEqual([]);
    expect(Object.keys(await place.stored(...SEGMENTS))).toEqual([`${S0} orders#0`]);
  });

  test("S6: an answer that was lost is looked up: what is stored is named", async () => {
    const place = await memoryPlace();
    await place.commit("g", "orders#0", 40);
    place.memory.failNextCommit("stored-unknown");
    const options = { source: place.source, groupId: "g", topics: ["orders"], count: 3 };
    const { written } = await refusalOf(distributeSegments(options));
    expect(written.map(({ groupId }) => groupId)).toEqual([S0]);
  });

  test("S6: a member that comes between check and write is found by the commit itself", async () => {
    const place = await memoryPlace();
    await place.commit("g", "orders#0", 40);
    place.memory.failNextCommit("fenced");
    const options = { source: place.source, groupId: "g", topics: ["orders"], count: 3 };
    const { message, written } = await refusalOf(distributeSegments(options));
    expect(message).toContain("received a refusal after nothing was written");
    expect(written).toEqual([]);
    expect(await place.stored(...SEGMENTS)).toEqual({});
  });

  test("wrong options are named at once", async () => {
    const { source } = await memoryPlace();
    const good = { source, groupId: "g", topics: ["orders"], count: 3 };
    for (const [more, said] of [
      [{ count: 1 }, "count must be from 2 to 65536: received 1"],
      [{ count: 2.5 }, "count must be an integer: received 2.5"],
      [{ count: undefined }, "count must be given: received undefined"],
      [{ groupId: "" }, 'groupId must not be empty: received ""'],
      [{ topics: [] }, "topics must not be empty: received an array of 0"],
      [{ topics: "orders" }, 'topics must be an array: received "orders"'],
      [{ topics: [1] }, "topics[0] must be a string: received 1"],
      [{ mergeKey: "" }, 'mergeKey must not be empty: received ""'],
      [{ version: "x".repeat(25) }, "version must have at most 24 bytes"],
      [{ force: 1 }, "force must be true or false: received 1"],
      [{ source: {} }, "source must have an admin()"],
      [{ froce: true }, 'options has no option "froce"'],
    ] as const) {
      const call = distributeSegments({ ...good, ...more } as unknown as SegmentsOptions);
      const error = (await call.catch((thrown: unknown) => thrown)) as Error;
      expect(error).not.toBeInstanceOf(SegmentOffsetsError);
      expect(error.message).toContain(`Cannot distribute segments as ${said}`);
    }
  });
});
