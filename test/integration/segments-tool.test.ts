import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { main } from "../../src/cli/cli.ts";
import type { SegmentsReport } from "../../src/segments/index.ts";
import { readPosition } from "../../src/segments/position.ts";
import type { Admin } from "../../src/source/source.ts";
import { fakeIo } from "../cli/fake-io.ts";
import { doneOf, metadataOf, type StoredMore } from "../segments/places.ts";
import { Bench, bootstrap, Recorder, stop, unique, within } from "./kafkajs-harness.ts";
import { joinNewer, leaveNewer } from "./newer-member.ts";

const TIMEOUT_MS = 20_000;
/** Nothing listens there. */
const NOBODY = "127.0.0.1:9";
const LOG_END = 200;
const DONE = [12, 15, 20, 30];

/** What the groups of one case are called, and what becomes of "g" in its texts. */
interface Case {
  readonly name: string;
  readonly action: "distribute" | "collapse" | "reset";
  readonly more?: readonly string[];
  readonly brokers?: string;
  /** [group, partition, offset, more] */
  readonly stored?: readonly (readonly [string, number, number, StoredMore?])[];
  /** A group that runs, in either protocol. */
  readonly running?: { readonly group: string; readonly newer: boolean };
  readonly says: string;
}

const ORIGIN = ["", 0, 10, { done: DONE }] as const;
const SEGMENTS = [
  ["-parallel-0", 0, 10, { done: DONE }],
  ["-parallel-1", 0, 10],
] as const;

const CASES: readonly Case[] = [
  {
    name: "a broker that does not answer",
    action: "distribute",
    brokers: NOBODY,
    stored: [ORIGIN],
    says: `Cannot connect as a broker of ${NOBODY} must answer`,
  },
  {
    name: "a missing topic",
    action: "distribute",
    more: ["--topics", "TOPIC,headrace-not-there"],
    stored: [ORIGIN],
    says: 'topics must exist: received "headrace-not-there"',
  },
  {
    name: "an unknown group",
    action: "distribute",
    stored: SEGMENTS,
    says: 'the group must be known: received group "G" without any offset',
  },
  {
    name: "unknown segments",
    action: "collapse",
    stored: [ORIGIN],
    says: 'received segment 0 "G-parallel-0" without any offset',
  },
  {
    name: "a segment with an offset",
    action: "distribute",
    stored: [ORIGIN, SEGMENTS[1]],
    says: 'without force: received segment 1 "G-parallel-1" TOPIC#0 offset 10',
  },
  {
    name: "a segment with an offset of another program",
    action: "distribute",
    stored: [ORIGIN, ["-parallel-1", 0, 0, { metadata: "by hand" }]],
    says: 'without force: received segment 1 "G-parallel-1" TOPIC#0 offset 0',
  },
  {
    name: "offsets that differ",
    action: "reset",
    stored: [ORIGIN, SEGMENTS[0], ["-parallel-1", 0, 11]],
    says: 'segment 0 "G-parallel-0" TOPIC#0 offset 10, segment 1 "G-parallel-1" TOPIC#0 offset 11',
  },
  {
    name: "an offset past the log's end",
    action: "collapse",
    stored: [
      ["-parallel-0", 0, 201],
      ["-parallel-1", 0, 201],
    ],
    says: 'received segment 0 "G-parallel-0" TOPIC#0 offset 201 past 200',
  },
  {
    name: "another segmentation",
    action: "collapse",
    more: ["--force"],
    stored: [SEGMENTS[0], ["-parallel-1", 0, 10, { segmentation: { count: 3, version: null } }]],
    says: 'received segment 1 "G-parallel-1" TOPIC#0 offset 10 of 3 segments',
  },
  {
    name: "a running group",
    action: "distribute",
    more: ["--force"],
    stored: [ORIGIN],
    running: { group: "", newer: false },
    says: 'no group may have members: received group "G" with headrace-test at ',
  },
  {
    name: "a running segment",
    action: "collapse",
    more: ["--force"],
    stored: SEGMENTS,
    running: { group: "-parallel-1", newer: false },
    says: 'received segment 1 "G-parallel-1" with headrace-test at ',
  },
  {
    name: "a running group of the newer protocol, which is described as dead",
    action: "reset",
    more: ["--force"],
    stored: [ORIGIN, ...SEGMENTS],
    running: { group: "", newer: true },
    says: 'no group may have members: received group "G" with members',
  },
  {
    name: "a running segment of the newer protocol without an offset",
    action: "distribute",
    more: ["--force"],
    stored: [ORIGIN, SEGMENTS[0]],
    running: { group: "-parallel-1", newer: true },
    says: 'received segment 1 "G-parallel-1" with members',
  },
];

describe.skipIf(bootstrap === "")("headrace segments on a broker", () => {
  const bench = new Bench();
  let admin: Admin;
  let topic: string;
  beforeAll(async () => {
    admin = await bench.admin();
    topic = await bench.topic(2);
    await bench.fill(topic, 2, LOG_END);
  });
  afterAll(() => bench.close());

  async function call(
    argv: readonly string[],
  ): Promise<{ out: string; err: string; code: number }> {
    const io = fakeIo();
    const code = await main(["segments", ...argv], io);
    return { ...io.output, code };
  }

  async function run(groupId: string, newer: boolean): Promise<() => Promise<void>> {
    if (newer) {
      await joinNewer(groupId, topic);
      return () => leaveNewer(groupId, topic);
    }
    const member = bench.open(groupId, [topic]);
    const recorder = new Recorder();
    recorder.start = ({ logEnd }) => logEnd;
    await within(member.start(recorder), "start");
    return () => stop(member);
  }

  async function storedOf(groupId: string): Promise<unknown> {
    const groups = [groupId, `${groupId}-parallel-0`, `${groupId}-parallel-1`];
    return Promise.all(groups.map((group) => admin.committed(group, topic)));
  }

  for (const one of CASES) {
    const { name, action, more = [], brokers = bootstrap, stored = [], running, says } = one;
    test(
      `refuses ${name}, and changes nothing`,
      async () => {
        const groupId = unique("group");
        for (const [group, partition, offset, with_ = {}] of stored) {
          const metadata = metadataOf(offset, with_);
          await admin.commit(groupId + group, topic, [{ partition, offset, metadata }]);
        }
        const end = running && (await run(groupId + running.group, running.newer));
        const before = await storedOf(groupId);
        const named = (text: string): string =>
          text.replaceAll("TOPIC", topic).replaceAll('"G', `"${groupId}`);
        const group = ["--groups", groupId, "--count", "2", "--brokers", brokers];
        const { out, err, code } = await call([action, ...group, ...more.map(named)]);
        expect(await storedOf(groupId)).toEqual(before);
        await end?.();
        expect([out, code]).toEqual(["", 1]);
        expect(err).toContain(named(says));
      },
      TIMEOUT_MS,
    );
  }

  test(
    "S5: maps travel to the segments, and back",
    async () => {
      const groupId = unique("group");
      const metadata = metadataOf(10, { done: DONE, userText: "text" });
      await admin.commit(groupId, topic, [{ partition: 1, offset: 10, metadata }]);
      const argv = ["--groups", groupId, "--count", "2", "--brokers", bootstrap, "--json"];
      expect((await call(["distribute", ...argv])).code).toBe(0);
      const position = async (group: string) => {
        const [, { offset, metadata: text }] = (await admin.committed(group, topic)) as [
          unknown,
          { offset: number; metadata: string },
        ];
        return readPosition({ offset, metadata: text }, LOG_END);
      };
      for (const segment of [0, 1]) {
        const { offset, userText, ...rest } = await position(`${groupId}-parallel-${segment}`);
        expect([offset, userText]).toEqual([10, "text"]);
        expect(doneOf({ offset, userText, ...rest })).toEqual(DONE);
        expect(rest.segmentation?.count).toBe(2);
      }
      const further = metadataOf(15, { done: [18, 40] });
      const one = `${groupId}-parallel-1`;
      await admin.commit(one, topic, [{ partition: 1, offset: 15, metadata: further }]);
      const { out } = await call(["collapse", ...argv, "--force"]);
      const report = JSON.parse(out) as SegmentsReport;
      expect(report.offsets.map(({ before, offset }) => [before, offset])).toEqual([[10, 10]]);
      const origin = await position(groupId);
      expect([origin.offset, doneOf(origin), origin.segmentation]).toEqual([
        10,
        [12, 15, 20, 30],
        null,
      ]);
      const { out: drawn, code } = await call(["status", ...argv.slice(0, -1)]);
      expect(code).toBe(0);
      expect(drawn).toContain(`${topic}#1  0 to 200`);
    },
    TIMEOUT_MS,
  );
});
