import { describe, expect, test } from "bun:test";
import { AssignerProtocol } from "kafkajs";
import { decodeOwned, encodeOwned } from "../../src/adapters/kafkajs/owned-partitions.ts";
import { ProtocolWriter } from "../../src/adapters/kafkajs/protocol-writer.ts";
import { decodeSubscription, encodeSubscription } from "../../src/adapters/kafkajs/subscription.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

const owned = {
  generation: 70_000,
  topics: new Map([
    ["tópic", [0, 7, 70_000]],
    ["other", [3]],
  ]),
};

describe("encodeOwned() and decodeOwned()", () => {
  test("R9: give back what was given", () => {
    expect(decodeOwned(encodeOwned(owned))).toEqual(owned);
  });

  test("R9: nothing owned takes no bytes and says nothing", () => {
    expect(encodeOwned({ generation: 3, topics: new Map() }).length).toBe(0);
    expect(decodeOwned(new Uint8Array(0))).toBeNull();
  });

  test("R9: foreign user data, another version and cut bytes say nothing", () => {
    const bytes = encodeOwned(owned);
    const magic = Uint8Array.from(bytes);
    magic[0] = 0;
    const version = Uint8Array.from(bytes);
    version[5] = 2;
    const sticky = new ProtocolWriter().partitionsByTopic(owned.topics).int32(3).finish();
    for (const one of [magic, version, sticky]) expect(decodeOwned(one)).toBeNull();
    for (let end = 0; end < bytes.length; end++) {
      expect(decodeOwned(bytes.subarray(0, end))).toBeNull();
    }
    expect(decodeOwned(new Uint8Array([...bytes, 1, 2, 3]))).toEqual(owned);
  });

  for (const seed of SEEDS) {
    test(`R9: any bytes behind the magic are read or refused (seed ${seed})`, () => {
      withSeed(seed, (random) => {
        for (let run = 0; run < 500; run++) {
          const bytes = encodeOwned(owned);
          for (let flips = 0; flips < 4; flips++) {
            bytes[6 + Math.floor(random() * (bytes.length - 6))] = Math.floor(random() * 256);
          }
          const read = decodeOwned(bytes);
          const count = [...(read?.topics.values() ?? [])].flat().length;
          expect(count).toBeLessThanOrEqual(bytes.length / 4);
        }
      });
    });
  }
});

describe("encodeSubscription() and decodeSubscription()", () => {
  test("R9: kafkajs reads topics and user data, and so does the other way round", () => {
    const userData = encodeOwned(owned);
    const bytes = encodeSubscription({ topics: ["a", "ü"], userData });
    const read = AssignerProtocol.MemberMetadata.decode(bytes as Buffer);
    expect(read).toEqual({ version: 0, topics: ["a", "ü"], userData: userData as Buffer });
    const theirs = AssignerProtocol.MemberMetadata.encode({
      version: 0,
      topics: ["a", "ü"],
      userData: userData as Buffer,
    });
    expect(decodeSubscription(theirs)).toEqual({ topics: ["a", "ü"], userData });
  });

  test("R9: later versions are read, user data of -1 bytes is none, nonsense is null", () => {
    const later = new ProtocolWriter().int16(3).int32(1).string("a").int32(-1).int32(0).finish();
    const read = decodeSubscription(later);
    expect([read?.topics, read?.userData.length]).toEqual([["a"], 0]);
    for (const bytes of [[], [0], [0, 0, 255, 255, 255, 255], [0, 0, 127, 0, 0, 0]]) {
      expect(decodeSubscription(new Uint8Array(bytes))).toBeNull();
    }
  });
});
