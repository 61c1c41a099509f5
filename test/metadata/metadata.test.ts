import { describe, expect, test } from "bun:test";
import { checkUserText } from "../../src/metadata/check-user-text.ts";
import { CompletedOffsets } from "../../src/metadata/completed-offsets.ts";
import { type DecodedMetadata, decodeMetadata } from "../../src/metadata/decode-metadata.ts";
import {
  type EncodedMetadata,
  encodeMetadata,
  type MetadataInput,
} from "../../src/metadata/encode-metadata.ts";
import {
  isSameSegmentation,
  MAX_VERSION_BYTES,
  UNKNOWN_VERSION,
} from "../../src/metadata/segmentation.ts";
import { same } from "../schedule/lanes.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";
import { SHAPES } from "./shapes.ts";

const FORMS = ["dense", "ascii"] as const;
const NONE = new Uint8Array(0);
const TOPIC = Uint8Array.from({ length: 16 }, (_, i) => i * 16 + 1);
const OTHER_TOPIC = TOPIC.toReversed();
const LENGTH = 4096;

const input: MetadataInput = {
  offset: 1000,
  logEnd: 5000,
  topicId: TOPIC,
  runs: [1, 10, 2, 20],
  userText: null,
  segmentation: null,
};
const context = { offset: 1000, logEnd: 5000, topicId: TOPIC };
const RANGES = [
  { from: 1001, to: 1011 },
  { from: 1013, to: 1033 },
];

function encode(change: Partial<MetadataInput>, maxLength = LENGTH): EncodedMetadata {
  return encodeMetadata({ ...input, ...change }, { form: "dense", maxLength });
}

function ranges(decoded: DecodedMetadata): readonly unknown[] {
  return [...decoded.completed.ranges()];
}

describe("encodeMetadata() and decodeMetadata()", () => {
  for (const form of FORMS) {
    for (const [name, shape] of Object.entries(SHAPES)) {
      for (const seed of SEEDS) {
        test(`O5, O6: keep the map, its lowest part if it is long: ${form}, ${name} (seed ${seed})`, () => {
          withSeed(seed, (random) => {
            for (const size of [3, 300, 30_000]) {
              const runs = shape(random, size);
              const offset = Math.floor(random() * 2 ** 40);
              const logEnd = offset + 2 ** 32;
              const maxLength = 64 + Math.floor(random() * 4033);
              const one = { ...input, offset, logEnd, runs };
              const { text, completed, truncated } = encodeMetadata(one, { form, maxLength });
              same(text.length <= maxLength, true);
              const decoded = decodeMetadata(text, { ...context, offset, logEnd });
              same(decoded.completed.count, completed);
              const all = CompletedOffsets.fromRuns(offset, runs);
              same(truncated, completed < all.count);
              const kept = ranges(decoded);
              same(JSON.stringify(kept), JSON.stringify([...all.ranges()].slice(0, kept.length)));
            }
          });
        });
      }
    }

    test(`O7: the user's text travels whole, whatever it is made of: ${form}`, () => {
      const texts = ["a", "é", "語", "\u{1f600}", ".", "~", "!", "\0x", "\ue000", "\n"];
      const segmentation = { count: 16_000, version: "v".repeat(MAX_VERSION_BYTES) };
      for (const part of texts) {
        const userText = part.repeat(LENGTH).slice(0, LENGTH - 64);
        checkUserText(userText, LENGTH);
        for (const one of [null, segmentation]) {
          const long = { ...input, offset: 2 ** 53 - 100, logEnd: 2 ** 53 - 1, segmentation: one };
          const { text } = encodeMetadata({ ...long, userText }, { form, maxLength: LENGTH });
          same(text.length <= LENGTH, true);
          const decoded = decodeMetadata(text, {
            ...context,
            offset: long.offset,
            logEnd: 2 ** 53,
          });
          same(decoded.userText, userText);
          expect(decoded.segmentation).toEqual(one);
        }
      }
    });

    test(`O5: an envelope of ${form} starts outside of base64 and ends with one disposable character`, () => {
      for (const userText of [null, "text", "ends with ."]) {
        const { text } = encodeMetadata({ ...input, userText }, { form, maxLength: LENGTH });
        same(/^[A-Za-z0-9+/=_-]/.test(text), false);
        if (form === "ascii") same(/^[!-~ ]+$/.test(text), true);
        for (const variant of [text, text.slice(0, -1), `${text}\0`, `${text.slice(0, -1)}\0\0`]) {
          const decoded = decodeMetadata(variant, context);
          expect(ranges(decoded)).toEqual(RANGES);
          same(decoded.userText, userText);
          same(decoded.origin, "headrace");
        }
      }
    });
  }

  test("O5: with nothing to say the text is empty", () => {
    for (const runs of [[], [5]]) {
      expect(encode({ runs })).toEqual({ text: "", completed: 0, truncated: false });
    }
    same(encode({ runs: [], userText: "" }).text, "");
    same(encode({ runs: [], userText: "x" }).text === "", false);
    same(encode({ runs: [], segmentation: { count: 2, version: null } }).text === "", false);
    expect(decodeMetadata("", context)).toEqual({
      completed: CompletedOffsets.none(),
      userText: null,
      segmentation: null,
      guard: null,
      origin: "none",
    });
  });

  test("O5: the map is void for another committed offset", () => {
    const { text } = encode({ userText: "text" });
    for (const offset of [0, 999, 1001, 1000 + 2 ** 32]) {
      const decoded = decodeMetadata(text, { ...context, offset, logEnd: 2 ** 40 });
      same(decoded.completed.count, 0);
      same(decoded.origin, "none");
    }
  });

  test("O5: the map is void for a topic made anew, not where a client knows no topic ids", () => {
    const { text } = encode({ userText: "text" });
    const other = decodeMetadata(text, { ...context, topicId: OTHER_TOPIC });
    same(other.completed.count, 0);
    same(other.userText, "text");
    expect(ranges(decodeMetadata(text, { ...context, topicId: NONE }))).toEqual(RANGES);
    const without = encode({ topicId: NONE }).text;
    expect(ranges(decodeMetadata(without, context))).toEqual(RANGES);
  });

  test("O5: the map is void where the log is shorter than it was", () => {
    const { text } = encode({});
    same(decodeMetadata(text, { ...context, logEnd: 4999 }).completed.count, 0);
    expect(ranges(decodeMetadata(text, { ...context, logEnd: 9999 }))).toEqual(RANGES);
  });

  test("O5: no offset from the log's end on is done", () => {
    // The end that was known at the commit may have been an old one.
    const { text } = encode({ logEnd: 1005 });
    expect(ranges(decodeMetadata(text, { ...context, logEnd: 1020 }))).toEqual([
      { from: 1001, to: 1011 },
      { from: 1013, to: 1020 },
    ]);
    same(decodeMetadata(text, { ...context, logEnd: 1005 }).completed.count, 4);
  });

  test("O5: a committable offset that a former owner had done starts the map with a done run", () => {
    const { text } = encode({ runs: [0, 9, 1, 2] });
    expect(ranges(decodeMetadata(text, context))).toEqual([
      { from: 1000, to: 1009 },
      { from: 1010, to: 1012 },
    ]);
  });

  test("O5: foreign metadata is no information", () => {
    const foreign = [
      "hello",
      "offset=5;host=a",
      '{"a":1}',
      "~",
      "!",
      "~.",
      "!.",
      "~hello.",
      "!hello.",
      "\0\0",
      "~\0",
      "!AAAAAAAA.",
      "a".repeat(3_000_000),
      "\ud800",
      "~\ud800.",
    ];
    for (const text of foreign) {
      const { completed, userText, segmentation, origin } = decodeMetadata(text, context);
      same(completed.count, 0);
      expect([userText, segmentation, origin]).toEqual([null, null, "none"]);
    }
  });

  test("O5: another version of the envelope is no information", () => {
    const { text } = encode({});
    same(decodeMetadata(`#${text.slice(1)}`, context).origin, "none");
    same(decodeMetadata(`!${text.slice(1)}`, context).origin, "none");
  });

  test("O7: checkUserText() refuses what would not fit whole", () => {
    checkUserText("x".repeat(LENGTH - 64), LENGTH);
    expect(() => checkUserText("x".repeat(LENGTH - 63), LENGTH)).toThrow(RangeError);
    expect(() => checkUserText("x", 10)).toThrow("received 1");
  });

  test("S8: segmentation travels with and without a map", () => {
    for (const runs of [[], [1, 5]]) {
      for (const version of [null, "", "2024-05"]) {
        const { text } = encode({ runs, segmentation: { count: 3, version } });
        expect(decodeMetadata(text, context).segmentation).toEqual({ count: 3, version });
      }
    }
  });

  test("S7: a start is told from an offset that a segment has reached", () => {
    const { text } = encode({ runs: [], segmentation: { count: 3, version: "2", isStart: true } });
    const read = decodeMetadata(text, context).segmentation;
    expect(read).toEqual({ count: 3, version: "2", isStart: true });
  });

  test("S8: another count or version is another segmentation, an unknown version is none", () => {
    const one = { count: 3, version: "2" };
    const others = [one, { ...one, version: UNKNOWN_VERSION }, { ...one, version: null }];
    const fits = [...others, { ...one, count: 4 }].map((other) => isSameSegmentation(one, other));
    expect(fits).toEqual([true, true, false, false]);
    expect(isSameSegmentation({ ...one, version: null }, { ...one, version: null })).toBe(true);
  });

  test("O6: too little room leaves the map out, not the text", () => {
    const { text, completed, truncated } = encode({ userText: "x".repeat(50) }, 64);
    same(decodeMetadata(text, context).userText, "x".repeat(50));
    expect([completed, truncated]).toEqual([0, true]);
    for (const maxLength of [0, 1, 5, 12]) {
      expect(encode({}, maxLength)).toEqual({ text: "", completed: 0, truncated: true });
    }
  });

  test("O6: a version that is too long costs the text its place, never the limit", () => {
    const segmentation = { count: 3, version: "v".repeat(150) };
    const { text, truncated } = encode({ runs: [], userText: "x".repeat(136), segmentation }, 200);
    expect([text.length <= 200, truncated]).toEqual([true, true]);
    expect(decodeMetadata(text, context).segmentation).toEqual(segmentation);
  });
});
