/**
 * What every source must do, as cases that any test runner can run against any source.
 *
 * ```ts
 * for (const { name, run } of sourceCases) test(name, () => run(harness));
 * ```
 *
 * Waits are deadlines over real time. Where a case must see that nothing happens, it looks for `quietMs`.
 */
import { administration } from "./conformance-admin.ts";
import {
  type ConformanceRecord,
  gate,
  must,
  numbered,
  range,
  type SourceCase,
  same,
  sourceCase,
  storedAt,
  text,
} from "./conformance-bench.ts";
import type { Lease } from "./source.ts";

export type { ConformanceRecord, SourceCase, SourceHarness } from "./conformance-bench.ts";

const assignment: readonly SourceCase[] = [
  sourceCase(
    "start() assigns every partition before delivery, without a committed offset",
    async (bench) => {
      const topic = await bench.harness.createTopic(2);
      for (const partition of [0, 1]) await bench.harness.produce(topic, partition, numbered(0, 3));
      const { listener } = await bench.start(topic);
      same(listener.leases.length, 2, "both partitions are assigned when start() settles");
      for (const one of listener.assignments) {
        const { committed, groupKnowsTopic, logStart, logEnd } = one;
        const seen = { committed, groupKnowsTopic, logStart, logEnd };
        const fresh = { committed: null, groupKnowsTopic: false, logStart: 0, logEnd: 3 };
        same(seen, fresh, "a new group's assignment");
      }
      await bench.until("both partitions are read", () =>
        [0, 1].every((partition) => listener.offsetsOf(partition).length === 3),
      );
    },
  ),
  sourceCase("start() reads from the offset that assigned() answers", async (bench) => {
    const topic = await bench.harness.createTopic(2);
    for (const partition of [0, 1]) await bench.harness.produce(topic, partition, numbered(0, 5));
    const { listener } = await bench.start(topic, undefined, (one) => {
      one.onAssigned = ({ lease, logEnd }) => (lease.partition === 0 ? 2 : logEnd);
    });
    await bench.until("partition 0 is read", () => listener.offsetsOf(0).length === 3);
    same(listener.offsetsOf(0), [2, 3, 4], "offsets from 2 on");
    await bench.harness.produce(topic, 1, numbered(5, 6));
    await bench.until("partition 1 is read", () => listener.offsetsOf(1).length > 0);
    same(listener.offsetsOf(1), [5], "offsets from the log's end on");
  }),
  sourceCase(
    "start() of an empty topic settles, and what comes later is delivered",
    async (bench) => {
      const topic = await bench.harness.createTopic(1);
      const { listener } = await bench.start(topic);
      same(listener.assignments[0]?.logEnd, 0, "the log's end");
      await bench.harness.produce(topic, 0, numbered(0, 2));
      await bench.until("both records came", () => listener.offsetsOf(0).length === 2);
    },
  ),
  sourceCase("start() rejects when the topic is missing", async (bench) => {
    const member = bench.open([bench.harness.newName()], bench.harness.newName());
    const refused = member.source.start(member.listener).then(
      () => false,
      () => true,
    );
    must(await bench.within("start() settles", refused), "start() of a missing topic rejects");
    same(member.listener.leases.length, 0, "leases");
  }),
];

const delivery: readonly SourceCase[] = [
  sourceCase("deliver() gives every offset once, in order", async (bench) => {
    const topic = await bench.harness.createTopic(2);
    await bench.harness.produce(topic, 0, numbered(0, 300));
    const { listener } = await bench.start(topic);
    for (let i = 300; i < 400; i += 20) {
      await bench.harness.produce(topic, 0, numbered(i, i + 20));
      await bench.harness.produce(topic, 1, numbered(i - 300, i - 280));
    }
    await bench.until("everything came", () => {
      return listener.offsetsOf(0).length >= 400 && listener.offsetsOf(1).length >= 100;
    });
    same(listener.offsetsOf(0), range(0, 400), "offsets of partition 0");
    same(listener.offsetsOf(1), range(0, 100), "offsets of partition 1");
    const values = listener.recordsOf(0).map((record) => Number(text(record.value)));
    same(values, range(0, 400), "values of partition 0");
  }),
  sourceCase(
    "deliver() gives keys, values, headers and timestamps as they were written",
    async (bench) => {
      const topic = await bench.harness.createTopic(1);
      const timestamp = Math.floor(bench.harness.clock.wallTime()) - 5000;
      const records: ConformanceRecord[] = [
        {
          key: "ключ",
          value: "wert",
          headers: [
            ["a", "1"],
            ["b", "ü"],
          ],
          timestamp,
        },
        { key: null, value: "no key", timestamp: timestamp + 1 },
        { key: "tombstone", value: null, timestamp: timestamp + 2 },
        { key: "", value: "", headers: [["empty", ""]], timestamp: timestamp + 3 },
        {
          key: "two",
          value: "x",
          headers: [
            ["h", "1"],
            ["h", "2"],
          ],
          timestamp: timestamp + 3,
        },
      ];
      await bench.harness.produce(topic, 0, records);
      const { listener } = await bench.start(topic);
      await bench.until("all came", () => listener.offsetsOf(0).length === records.length);
      const read = listener.recordsOf(0).map((record) => ({
        key: text(record.key),
        value: text(record.value),
        headers: record.headers.map(([name, value]) => [name, text(value)]),
        timestamp: record.timestamp,
      }));
      const written = records.map(({ key, value, headers, timestamp: at }) => {
        return { key, value, headers: headers ?? [], timestamp: at };
      });
      same(read, written, "records");
    },
  ),
  sourceCase(
    "F1: deliver() holds the partition's next batch while its promise is open",
    async (bench) => {
      const topic = await bench.harness.createTopic(1);
      const held = gate();
      await bench.harness.produce(topic, 0, numbered(0, 1));
      const { listener } = await bench.start(topic, undefined, (one) => {
        one.onDeliver = () => held.promise;
      });
      await bench.until("the first batch came", () => listener.batches.length === 1);
      await bench.harness.produce(topic, 0, numbered(1, 3));
      await bench.quiet();
      same(listener.batches.length, 1, "batches while the first is held");
      held.open();
      await bench.until("the rest came", () => listener.offsetsOf(0).length >= 3);
      same(listener.offsetsOf(0), [0, 1, 2], "offsets");
    },
  ),
  sourceCase(
    "pause() lets at most one batch through, and resume() neither loses nor repeats",
    async (bench) => {
      const topic = await bench.harness.createTopic(1);
      await bench.harness.produce(topic, 0, numbered(0, 5));
      const { source, listener } = await bench.start(topic);
      await bench.until("the first records came", () => listener.offsetsOf(0).length === 5);
      const lease = listener.leaseOf(0) as Lease;
      source.pause(lease);
      source.pause(lease);
      const before = listener.batches.length;
      for (let i = 5; i < 20; i += 5) {
        await bench.harness.produce(topic, 0, numbered(i, i + 5));
        await bench.quiet();
      }
      must(listener.batches.length - before <= 1, "at most one batch was on its way");
      source.resume(lease);
      source.resume(lease);
      await bench.until("everything came", () => listener.offsetsOf(0).length >= 20);
      same(listener.offsetsOf(0), range(0, 20), "offsets");
    },
  ),
  sourceCase(
    "seek() reads again from a lower offset, and the last of two seeks counts",
    async (bench) => {
      const topic = await bench.harness.createTopic(1);
      await bench.harness.produce(topic, 0, numbered(0, 10));
      const { source, listener } = await bench.start(topic);
      await bench.until("everything came", () => listener.offsetsOf(0).length === 10);
      const lease = listener.leaseOf(0) as Lease;
      let from = listener.batches.length;
      const seek = (offset: number): void => {
        from = listener.batches.length;
        source.seek(lease, offset);
        listener.sought(lease, offset);
      };
      seek(3);
      await bench.until("offset 9 came again", () => listener.offsetsOf(0, from).includes(9));
      same(listener.offsetsOf(0, from), range(3, 10), "offsets after the seek");
      seek(1);
      seek(8);
      await bench.until("offset 9 came again", () => listener.offsetsOf(0, from).includes(9));
      same(listener.offsetsOf(0, from), [8, 9], "offsets after two seeks");
    },
  ),
  sourceCase("deliver() goes on when the listener throws or rejects", async (bench) => {
    const topic = await bench.harness.createTopic(1);
    await bench.harness.produce(topic, 0, numbered(0, 1));
    let calls = 0;
    const { listener } = await bench.start(topic, undefined, (one) => {
      one.onDeliver = () => {
        calls += 1;
        if (calls === 1) throw new Error("thrown by the conformance suite");
        if (calls === 2) return Promise.reject(new Error("rejected by the conformance suite"));
      };
    });
    for (let i = 1; i < 4; i++) {
      await bench.until("the record before came", () => listener.offsetsOf(0).length >= i);
      await bench.harness.produce(topic, 0, numbered(i, i + 1));
    }
    await bench.until("all came", () => listener.offsetsOf(0).length >= 4);
    same(listener.offsetsOf(0), range(0, 4), "offsets");
  }),
];

const commits: readonly SourceCase[] = [
  sourceCase(
    "commit() stores offset and metadata, and the next assignment reads them",
    async (bench) => {
      const topic = await bench.harness.createTopic(2);
      for (const partition of [0, 1]) await bench.harness.produce(topic, partition, numbered(0, 5));
      const groupId = bench.harness.newName();
      const first = await bench.start(topic, groupId);
      const metadata = 'v1:{"a"} ~é';
      const outcome = await bench.commit(first, first.listener.leaseOf(1), 3, metadata);
      same(outcome, "stored", "the outcome");
      const stored = await bench.harness.committed(groupId, topic);
      const entry = stored.find((one) => one.partition === 1);
      same([entry?.offset, entry?.metadata], [3, metadata], "what is stored");
      await bench.stop(first);
      const { listener } = await bench.start(topic, groupId);
      const assigned = listener.assignments.toSorted(
        (a, b) => a.lease.partition - b.lease.partition,
      );
      same(
        assigned.map((one) => one.committed),
        [null, { offset: 3, metadata }],
        "what the next assignment reads",
      );
      same(assigned[0]?.groupKnowsTopic, true, "O10: the group knows the topic of partition 0");
      await bench.until("the rest came", () => listener.offsetsOf(1).length >= 2);
      same(listener.offsetsOf(1), [3, 4], "offsets after the commit");
    },
  ),
  sourceCase(
    "commit() answers index by index, and stores a lower offset when asked",
    async (bench) => {
      const topic = await bench.harness.createTopic(3);
      for (const partition of [0, 1, 2])
        await bench.harness.produce(topic, partition, numbered(0, 9));
      const groupId = bench.harness.newName();
      const { source, listener } = await bench.start(topic, groupId);
      const entry = (partition: number, offset: number) => {
        return { lease: listener.leaseOf(partition) as Lease, offset, metadata: "" };
      };
      const signal = new AbortController().signal;
      for (const entries of [[entry(2, 7), entry(0, 5), entry(1, 6)], [entry(1, 2)]]) {
        const outcomes = await bench.within("commit() settles", source.commit(entries, signal));
        same(outcomes, Array(entries.length).fill("stored"), "outcomes");
      }
      const stored = [0, 1, 2].map((partition) => storedAt(bench, groupId, topic, partition));
      same(await Promise.all(stored), [5, 2, 7], "stored offsets");
    },
  ),
];

const endings: readonly SourceCase[] = [
  sourceCase("stop() settles, and nothing is delivered or stored after it", async (bench) => {
    const topic = await bench.harness.createTopic(1);
    await bench.harness.produce(topic, 0, numbered(0, 2));
    const groupId = bench.harness.newName();
    const member = await bench.start(topic, groupId);
    await bench.until("the records came", () => member.listener.offsetsOf(0).length === 2);
    const lease = member.listener.leaseOf(0);
    await bench.stop(member);
    await bench.harness.produce(topic, 0, numbered(2, 4));
    const outcome = await bench.commit(member, lease, 2);
    must(outcome !== "stored", "a commit after stop() is not stored");
    await bench.quiet();
    same(member.listener.offsetsOf(0), [0, 1], "offsets");
    same(await storedAt(bench, groupId, topic, 0), null, "the stored offset");
  }),
  sourceCase(
    "revoking() is awaited before another member gets the partition, then commits are fenced",
    async (bench) => {
      const { harness } = bench;
      const { moveToSecond } = harness;
      if (moveToSecond === null) return;
      const topic = await harness.createTopic(2);
      for (const partition of [0, 1]) await harness.produce(topic, partition, numbered(0, 5));
      const groupId = harness.newName();
      const drained = gate();
      const first = await bench.start(topic, groupId, (one) => {
        one.onRevoking = () => drained.promise;
      });
      const second = bench.open([topic], groupId);
      const started = second.source.start(second.listener);
      const moved = moveToSecond === "joins" ? started : moveToSecond(topic, 1);
      if (first.source.can.drainOnRevoke) {
        await bench.until("the drain is asked for", () => first.listener.revoked.length > 0);
        const draining = first.listener.revoked[0] as Lease;
        same(await bench.commit(first, draining, 2), "stored", "a commit inside the drain");
        await bench.quiet();
        same(second.listener.leases.length, 0, "leases of the second member during the drain");
      }
      drained.open();
      await bench.within("the second member has joined", Promise.all([started, moved]));
      await bench.until("both have one partition", () => {
        return first.listener.leases.length === 1 && second.listener.leases.length === 1;
      });
      const [mine, theirs] = [first.listener.leases[0], second.listener.leases[0]];
      must(mine?.partition !== theirs?.partition, "the members own different partitions");
      const gone = first.listener.ended.find((one) => one.partition === theirs?.partition);
      must(gone !== undefined, "joined() named the lease that ended");
      const before = await storedAt(bench, groupId, topic, gone?.partition as number);
      same(await bench.commit(first, gone, 4), "fenced", "a commit of the ended lease");
      const after = await storedAt(bench, groupId, topic, gone?.partition as number);
      same(after, before, "the stored offset");
      same(await bench.commit(second, theirs, 5), "stored", "a commit of the new owner");
    },
  ),
];

/** Every case; each makes its own topics and groups. */
export const sourceCases: readonly SourceCase[] = [
  ...assignment,
  ...delivery,
  ...commits,
  ...endings,
  ...administration,
];
