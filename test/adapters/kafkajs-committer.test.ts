import { describe, expect, test } from "bun:test";
import { Committer } from "../../src/adapters/kafkajs/committer.ts";
import { KafkajsLease } from "../../src/adapters/kafkajs/lease.ts";
import type { Membership } from "../../src/adapters/kafkajs/membership.ts";
import type { CommitEntry } from "../../src/source/source.ts";
import type { Logger } from "../../src/types.ts";

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const open = (): AbortSignal => new AbortController().signal;

interface Request {
  memberId: string;
  groupGenerationId: number;
  topics: {
    topic: string;
    partitions: { partition: number; offset: string; metadata: string }[];
  }[];
}

function lease(partition: number, generation = 1): KafkajsLease {
  const made = new KafkajsLease("t", partition, "m", generation);
  made.state = "live";
  return made;
}

const entry = (of: KafkajsLease, metadata = ""): CommitEntry => ({
  lease: of,
  offset: 5,
  metadata,
});
const protocolError = (type: string, retriable: boolean, message = type): Error =>
  Object.assign(new Error(message), { name: "KafkaJSProtocolError", type, retriable });

function setUp(answer: (request: Request) => Promise<unknown> | undefined) {
  const requests: Request[] = [];
  const seen = { refinds: 0, expelled: [] as string[] };
  const membership = {
    groupId: "g",
    coordinator: {
      offsetCommit: async (request: Request) => {
        requests.push(request);
        await answer(request);
      },
    },
    refind: async () => {
      seen.refinds++;
    },
  } as unknown as Membership;
  const committer = new Committer(membership, quiet, (id) => void seen.expelled.push(id));
  return { committer, requests, seen };
}

const partitionsOf = (requests: Request[]) =>
  requests.map(({ topics }) => topics[0]?.partitions.map(({ partition }) => partition));

describe("Committer", () => {
  test("R5: sends member id and generation of the lease, one request per generation", async () => {
    const { committer, requests } = setUp(() => undefined);
    const entries = [entry(lease(0, 1), "x"), entry(lease(1, 2)), entry(lease(2, 1))];
    expect(await committer.commit(entries, open())).toEqual(["stored", "stored", "stored"]);
    expect(requests).toEqual([
      {
        groupId: "g",
        memberId: "m",
        groupGenerationId: 1,
        topics: [
          {
            topic: "t",
            partitions: [
              { partition: 0, offset: "5", metadata: "x" },
              { partition: 2, offset: "5", metadata: "" },
            ],
          },
        ],
      },
      {
        groupId: "g",
        memberId: "m",
        groupGenerationId: 2,
        topics: [{ topic: "t", partitions: [{ partition: 1, offset: "5", metadata: "" }] }],
      },
    ] as never);
  });

  test("R2: sends nothing for leases that are suspended or ended", async () => {
    const { committer, requests } = setUp(() => undefined);
    const [suspended, ended, draining] = [lease(0), lease(1), lease(2)];
    suspended.state = "suspended";
    ended.state = "ended";
    draining.state = "draining";
    const entries = [suspended, ended, draining].map((one) => entry(one));
    expect(await committer.commit(entries, open())).toEqual(["not-now", "fenced", "stored"]);
    expect(partitionsOf(requests)).toEqual([[2]]);
  });

  test("O4: one more round, partition by partition, when the error may be about one", async () => {
    const { committer, requests } = setUp(async ({ topics }) => {
      const large = topics[0]?.partitions.some(({ metadata }) => metadata === "large");
      if (large) throw protocolError("OFFSET_METADATA_TOO_LARGE", false);
    });
    const entries = [entry(lease(0)), entry(lease(1), "large"), entry(lease(2))];
    expect(await committer.commit(entries, open())).toEqual(["stored", "too-large", "stored"]);
    expect(partitionsOf(requests)).toEqual([[0, 1, 2], [0], [1], [2]]);
  });

  test.each([
    ["REBALANCE_IN_PROGRESS", false, "not-now", 1, 0],
    ["ILLEGAL_GENERATION", false, "fenced", 1, 0],
    ["UNKNOWN_MEMBER_ID", false, "fenced", 1, 0],
    ["NOT_COORDINATOR_FOR_GROUP", true, "retry", 1, 1],
    ["GROUP_LOAD_IN_PROGRESS", true, "retry", 1, 0],
    ["GROUP_AUTHORIZATION_FAILED", false, "denied", 1, 0],
    ["TOPIC_AUTHORIZATION_FAILED", false, "denied", 3, 0],
    ["UNKNOWN", false, "retry", 3, 0],
    ["REQUEST_TIMED_OUT", true, "retry", 1, 0],
    ["UNSUPPORTED_VERSION", false, "denied", 3, 0],
  ])("answers %s", async (type, retriable, outcome, sent, refinds) => {
    const { committer, requests, seen } = setUp(async () => {
      throw protocolError(type as string, retriable as boolean);
    });
    const answers = await committer.commit([entry(lease(0)), entry(lease(1))], open());
    expect(answers).toEqual([outcome, outcome] as never);
    expect(requests.length).toBe(sent as number);
    expect(seen.refinds).toBe(refinds as number);
    expect(seen.expelled).toEqual(type === "UNKNOWN_MEMBER_ID" ? ["m"] : []);
  });

  test("answers fenced for codes newer than kafkajs's table", async () => {
    const { committer } = setUp(async () => {
      throw protocolError("KAFKAJS_UNKNOWN_ERROR_CODE", false, "Unknown error code 113");
    });
    expect(await committer.commit([entry(lease(0))], open())).toEqual(["fenced"]);
  });

  test("looks the coordinator up again when the connection is lost", async () => {
    const { committer, seen } = setUp(async () => {
      throw Object.assign(new Error("Closed"), { name: "KafkaJSConnectionClosedError" });
    });
    expect(await committer.commit([entry(lease(0))], open())).toEqual(["retry"]);
    expect(seen.refinds).toBe(1);
  });

  test("answers retry when the signal aborts a request that hangs", async () => {
    const { committer, requests } = setUp(() => new Promise(() => {}));
    const control = new AbortController();
    const pending = committer.commit([entry(lease(0, 1)), entry(lease(1, 2))], control.signal);
    control.abort();
    expect(await pending).toEqual(["retry", "retry"]);
    expect(requests.length).toBe(1);
  });

  test("turns stored into fenced when the lease ended before the answer", async () => {
    const one = lease(0);
    const { committer } = setUp(async () => {
      one.state = "ended";
    });
    expect(await committer.commit([entry(one)], open())).toEqual(["fenced"]);
  });

  test("R3: what was stored, or sent without an answer, is what the lease wrote", async () => {
    const one = lease(0);
    let answer: Promise<unknown> | undefined;
    const { committer } = setUp(() => answer);
    await committer.commit([entry(one, "stored")], open());
    const control = new AbortController();
    answer = new Promise(() => {});
    const pending = committer.commit([entry(one, "hangs")], control.signal);
    control.abort();
    await pending;
    const wrote = (metadata: string): boolean => one.wrote({ offset: 5, metadata });
    expect(["stored", "hangs", "other"].map(wrote)).toEqual([true, true, false]);
    expect([one.wrote(null), one.wrote({ offset: 4, metadata: "stored" })]).toEqual([false, false]);
  });

  test("R3: a fence of the generation before does not end a lease that went on", async () => {
    const one = lease(0, 1);
    const { committer } = setUp(async () => {
      one.goOn(2, null);
      throw protocolError("ILLEGAL_GENERATION", false);
    });
    expect(await committer.commit([entry(one)], open())).toEqual(["retry"]);
  });

  test("R5: a second round sends nothing of a lease that went on meanwhile", async () => {
    const leases = [lease(0, 1), lease(1, 1)];
    const { committer, requests } = setUp(async ({ topics }) => {
      if (topics[0]?.partitions.length !== 2) return;
      leases[1]?.goOn(2, null);
      throw protocolError("OFFSET_METADATA_TOO_LARGE", false);
    });
    const entries = leases.map((one) => entry(one));
    expect(await committer.commit(entries, open())).toEqual(["stored", "not-now"]);
    expect(partitionsOf(requests)).toEqual([[0, 1], [0]]);
  });
});
