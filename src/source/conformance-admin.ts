/** What every admin must do with groups, as cases of the conformance suite. */
import { GroupRunningError } from "../errors.ts";
import { type Bench, numbered, type SourceCase, same, sourceCase } from "./conformance-bench.ts";
import type { Admin } from "./source.ts";

/** A case over an admin, where the source has one. */
function adminCase(name: string, body: (bench: Bench, admin: Admin) => Promise<void>): SourceCase {
  return sourceCase(name, async (bench) => {
    const admin = bench.harness.factory.admin?.();
    if (admin === undefined) return;
    await bench.within("open() settles", admin.open());
    try {
      await body(bench, admin);
    } finally {
      await admin.close();
    }
  });
}

/** The answer of a commit from outside. */
async function answerOf(commit: Promise<void>): Promise<string> {
  try {
    await commit;
    return "stored";
  } catch (error) {
    return error instanceof GroupRunningError ? "running" : "refused";
  }
}

/** Cases of `Admin`. */
export const administration: readonly SourceCase[] = [
  adminCase(
    "admin.commit() stores offsets of a new group for its members",
    async (bench, admin) => {
      const topic = await bench.harness.createTopic(3);
      for (const partition of [0, 1, 2])
        await bench.harness.produce(topic, partition, numbered(0, 5));
      const groupId = bench.harness.newName();
      same(await admin.committedTopics(groupId), [], "topics of a group that nobody knows");
      same((await admin.describeGroup(groupId, topic)).state, "none", "its state");
      const metadata = '~"{é}';
      const offsets = [
        { partition: 2, offset: 4, metadata },
        { partition: 0, offset: 0, metadata: "" },
      ];
      await bench.within("commit() settles", admin.commit(groupId, topic, offsets));
      const stored = [
        { partition: 0, offset: 0, metadata: "" },
        { partition: 1, offset: null, metadata: "" },
        { partition: 2, offset: 4, metadata },
      ];
      same(await admin.committed(groupId, topic), stored, "what is stored");
      same(await admin.committedTopics(groupId), [topic], "the group's topics");
      same((await admin.describeGroup(groupId, topic)).state, "empty", "the group's state");
      const { listener } = await bench.start(topic, groupId);
      const assigned = listener.assignments.toSorted(
        (a, b) => a.lease.partition - b.lease.partition,
      );
      same(
        assigned.map(({ committed }) => committed),
        [{ offset: 0, metadata: "" }, null, { offset: 4, metadata }],
        "what the members read",
      );
    },
  ),
  adminCase(
    "admin.commit() stores a lower offset, and takes the metadata away",
    async (bench, admin) => {
      const topic = await bench.harness.createTopic(1);
      await bench.harness.produce(topic, 0, numbered(0, 9));
      const groupId = bench.harness.newName();
      await admin.commit(groupId, topic, [{ partition: 0, offset: 7, metadata: "seven" }]);
      await admin.commit(groupId, topic, [{ partition: 0, offset: 2, metadata: "" }]);
      const stored = [{ partition: 0, offset: 2, metadata: "" }];
      same(await admin.committed(groupId, topic), stored, "what is stored");
    },
  ),
  adminCase("admin.commit() is refused while the group has a member", async (bench, admin) => {
    const topic = await bench.harness.createTopic(2);
    for (const partition of [0, 1]) await bench.harness.produce(topic, partition, numbered(0, 5));
    const groupId = bench.harness.newName();
    const member = await bench.start(topic, groupId);
    same(await bench.commit(member, member.listener.leaseOf(1), 3, "own"), "stored", "its commit");
    const description = await admin.describeGroup(groupId, topic);
    same(description.state, "running", "the group's state");
    same(description.members.length, 1, "its members");
    const before = await admin.committed(groupId, topic);
    const offsets = [0, 1].map((partition) => ({ partition, offset: 1, metadata: "" }));
    same(await answerOf(admin.commit(groupId, topic, offsets)), "running", "the answer");
    same(await admin.committed(groupId, topic), before, "what is stored");
    await bench.stop(member);
    await bench.eventually("the group is empty", async () => {
      return (await admin.describeGroup(groupId, topic)).state === "empty";
    });
    same(await answerOf(admin.commit(groupId, topic, offsets)), "stored", "without a member");
    const stored = offsets.map(({ partition, offset }) => ({ partition, offset, metadata: "" }));
    same(await admin.committed(groupId, topic), stored, "what is stored then");
  }),
  adminCase("admin.commit() is refused for a partition that is not there", async (bench, admin) => {
    const topic = await bench.harness.createTopic(1);
    const groupId = bench.harness.newName();
    const offsets = [{ partition: 7, offset: 0, metadata: "" }];
    same(await answerOf(admin.commit(groupId, topic, offsets)), "refused", "the answer");
    same(await admin.committedTopics(groupId), [], "the group's topics");
  }),
];
