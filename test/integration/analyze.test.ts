import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Kafka, logLevel } from "kafkajs";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { main } from "../../src/cli/cli.ts";
import { createProducer } from "../../src/index.ts";
import type { Admin } from "../../src/source/source.ts";
import { analyzeDistribution, type DistributionReport } from "../../src/tools/index.ts";
import { fakeIo } from "../cli/fake-io.ts";

const bootstrap = process.env.KAFKA_BOOTSTRAP ?? "";
const PARTITIONS = 3;
const TIMEOUT_MS = 60_000;
const KEYS = Array.from({ length: 1500 }, (_, at) => (at % 5 < 2 ? "hot" : `k${at}`));

describe.skipIf(bootstrap === "")("headrace analyze on a broker", () => {
  const factory = kafkajs({ brokers: bootstrap.split(",") });
  const topic = `hr-analyze-${Math.random().toString(36).slice(2, 10)}`;
  let admin: Admin;

  beforeAll(async () => {
    admin = factory.admin();
    await admin.open();
    await admin.createTopic(topic, PARTITIONS);
    const producer = createProducer({ sink: factory });
    await producer.produceMany(KEYS.map((key) => ({ topic, key, value: `{"of":"${key}"}` })));
    await producer.close();
  });
  afterAll(() => admin.close());

  async function analyze(...options: string[]): Promise<DistributionReport> {
    const io = fakeIo();
    const source = ["--topic", topic, "--brokers", bootstrap];
    const code = await main(["analyze", ...source, ...options, "--json"], io);
    expect([code, io.output.err]).toEqual([0, ""]);
    return JSON.parse(io.output.out) as DistributionReport;
  }

  test(
    "judges a topic as it lies, as murmur2 places its keys, and leaves no offsets behind",
    async () => {
      const recorded = await analyze();
      const placed = analyzeDistribution({
        sample: KEYS,
        partitions: PARTITIONS,
        placement: "murmur2",
      });
      expect(recorded.counts).toEqual(placed.counts);
      expect(recorded.hotKeys[0]).toEqual({ key: "hot", count: 600, error: 0, share: 0.4 });
      expect(recorded.keys?.movedShare).toBe(0);
      expect(recorded.verdict).toBe("hot-key");
      const client = new Kafka({
        brokers: bootstrap.split(","),
        logLevel: logLevel.NOTHING,
      }).admin();
      await client.connect();
      const { groups } = await client.listGroups();
      const ours = groups.filter(({ groupId }) => groupId.startsWith("headrace-analyze-"));
      expect(ours.length).toBeGreaterThan(0);
      for (const { groupId } of ours) {
        const [found] = await client.fetchOffsets({ groupId, topics: [topic] });
        expect(found?.partitions.map(({ offset }) => offset) ?? []).toEqual(["-1", "-1", "-1"]);
      }
      await client.disconnect();
    },
    TIMEOUT_MS,
  );

  test(
    "reads one partition, its last messages, and keys from values",
    async () => {
      const logEnd = (await admin.logBounds(topic))[0]?.logEnd;
      const one = ["--partition", "0", "--max-partitions", "8"];
      const { total } = await analyze(...one, "--key", "json:of");
      expect([total, total > 0]).toEqual([logEnd ?? -1, true]);
      expect((await analyze("--last", "50")).counts).toEqual([50, 50, 50]);
    },
    TIMEOUT_MS,
  );

  test(
    "says in one line that a topic or partition is missing",
    async () => {
      for (const [options, message] of [
        [
          ["--topic", `${topic}-not`],
          `the topic must exist at ${bootstrap}: received "${topic}-not"`,
        ],
        [["--topic", topic, "--partition", "3", "--partitions", "2"], "are 0 to 2: received 3"],
      ] as const) {
        const io = fakeIo();
        expect(await main(["analyze", "--brokers", bootstrap, ...options], io)).toBe(1);
        expect(io.output.err).toContain("headrace: Cannot analyze as ");
        expect(io.output.err).toContain(message);
      }
    },
    TIMEOUT_MS,
  );
});
