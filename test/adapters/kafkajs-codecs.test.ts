import { describe, expect, test } from "bun:test";
import {
  type ClientCodec,
  type CodecRegistry,
  checkCodec,
  codecOf,
  registerCodecs,
} from "../../src/adapters/kafkajs/codecs.ts";
import { sourceError } from "../../src/adapters/kafkajs/errors.ts";
import { compressSnappy, inflateSnappy } from "../../src/adapters/kafkajs/snappy-frames.ts";

const texts: [string, Buffer][] = [
  ["nothing", Buffer.alloc(0)],
  ["one byte", Buffer.from([7])],
  ["text", Buffer.from("hello hello hello ".repeat(10))],
  ["more than a block", Buffer.alloc(100_000, "abcdefg")],
  ["bytes that do not repeat", Buffer.from(Uint8Array.from({ length: 70_000 }, (_, i) => i ** 3))],
];

describe("codecOf()", () => {
  for (const codec of ["snappy", "lz4", "zstd"] as const) {
    const { compress, decompress } = codecOf(codec);
    for (const [what, bytes] of texts) {
      test(`${codec} gives ${what} back`, async () => {
        const compressed = await compress({ buffer: bytes });
        expect((await decompress(compressed)).equals(bytes)).toBe(true);
      });
    }

    test(`${codec} makes text smaller`, async () => {
      const bytes = Buffer.alloc(50_000, "the same again and again, ");
      expect((await compress({ buffer: bytes })).length).toBeLessThan(bytes.length / 5);
    });

    test(`${codec} says what is wrong with bytes that are not its own`, async () => {
      const error = await decompress(Buffer.from("this is not compressed")).catch((one) => one);
      expect(error.message).toContain(`its ${codec} data must be whole`);
      // The name that ends a kafkajs consumer for good.
      expect(error.name).toBe("KafkaJSNotImplemented");
      expect(sourceError("Cannot read as it must", error)).toMatchObject({ retriable: false });
    });
  }

  test("checkCodec() knows them, and has nothing to say of the others", async () => {
    for (const name of ["none", "gzip", "snappy", "lz4", "zstd"] as const) await checkCodec(name);
  });
});

describe("registerCodecs()", () => {
  const refusing = (): never => {
    throw new Error("not implemented");
  };

  test("adds what is missing, and leaves what the user has registered", () => {
    const own: ClientCodec = codecOf("lz4");
    const gzip = (): string => "gzip";
    const lz4 = (): ClientCodec => own;
    const registry: CodecRegistry = { 1: gzip, 2: refusing, 3: lz4 };
    registerCodecs(registry);
    expect(registry[1]).toBe(gzip);
    expect(registry[3]).toBe(lz4);
    for (const type of [2, 4]) {
      const codec = registry[type]?.() as ClientCodec;
      expect(typeof codec.compress).toBe("function");
      expect(registry[type]?.()).toBe(codec);
    }
  });
});

describe("the frames of snappy-java", () => {
  const same = (bytes: Buffer): Buffer => Buffer.from(bytes);

  test("are a header and blocks of 32 KiB with their lengths", () => {
    const framed = compressSnappy(Buffer.alloc(40_000, 1), same);
    expect(framed.subarray(0, 20).toString("hex")).toBe(
      "82534e41505059000000000100000001" + "00008000",
    );
    expect(framed.length).toBe(16 + 4 + 32_768 + 4 + 7_232);
    expect(inflateSnappy(framed, same).equals(Buffer.alloc(40_000, 1))).toBe(true);
  });

  test("are read as one block when there are none", () => {
    expect(inflateSnappy(Buffer.from("plain"), same).toString()).toBe("plain");
  });

  test("must not be cut off", () => {
    const framed = compressSnappy(Buffer.alloc(100, 1), same);
    for (const length of [17, 19, framed.length - 1]) {
      expect(() => inflateSnappy(framed.subarray(0, length), same)).toThrow("must be whole");
    }
  });
});
