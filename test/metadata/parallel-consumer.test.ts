import { describe, expect, test } from "bun:test";
import { decodeMetadata } from "../../src/metadata/decode-metadata.ts";
import { readParallelConsumer } from "../../src/metadata/parallel-consumer.ts";
import { findZstd } from "../../src/runtime/zstd.ts";
import { same } from "../schedule/lanes.ts";
import {
  type ParallelConsumerSample,
  parallelConsumerSamples,
} from "./parallel-consumer-samples.ts";

const inflate = findZstd();
/** What "zstd" inflates to where a test has its own. */
const asItIs = (bytes: Uint8Array): Uint8Array => bytes;

function base64(...bytes: (number | string)[]): string {
  const text = bytes.map((one) => (typeof one === "string" ? one : String.fromCharCode(one)));
  return btoa(text.join(""));
}

/** What is not done from the committed offset to the log's end. */
function notDone(sample: ParallelConsumerSample): number[][] {
  const completed = readParallelConsumer(sample.metadata, sample.committed, sample.end, inflate);
  const open: number[][] = [];
  let position = sample.committed;
  for (const { from, to } of completed!.ranges()) {
    if (from > position) open.push([position, from]);
    position = to;
  }
  if (position < sample.end) open.push([position, sample.end]);
  return open;
}

describe("readParallelConsumer()", () => {
  for (const [i, sample] of parallelConsumerSamples.entries()) {
    const needsZstd = "aJsp".includes(sample.form);
    test.skipIf(needsZstd && inflate === null)(
      `O5: reads sample ${i} of a real run, in form ${sample.form}`,
      () => {
        const open = notDone(sample);
        same(open.length, sample.incompleteRanges);
        same(
          open.reduce((sum, [from, to]) => sum + to! - from!, 0),
          sample.incompleteOffsets,
        );
        if (sample.incomplete !== undefined)
          expect(open).toEqual(sample.incomplete.map((r) => [...r]));
        const { committed: offset, end: logEnd, metadata } = sample;
        const context = { offset, logEnd, topicId: new Uint8Array(0), inflateZstd: inflate };
        same(decodeMetadata(metadata, context).origin, "parallel-consumer");
        same(decodeMetadata(`${metadata}\0`, context).origin, "parallel-consumer");
      },
    );
  }

  test("O5: reads every form: bits lowest first, lengths in turn, big-endian", () => {
    const bits = [0b1010, 0, 0];
    const cases: [string, number[]][] = [
      ["l", [0, 4, ...bits]],
      ["o", [0, 0, 0, 4, ...bits]],
      ["n", [0, 1, 0, 1, 0, 1, 0, 1]],
      ["e", [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]],
    ];
    const packed: Record<string, string> = { l: "a", o: "s", n: "J", e: "p" };
    for (const [form, payload] of cases) {
      for (const letter of [form, packed[form]!]) {
        const completed = readParallelConsumer(base64(letter, ...payload), 10, 100, asItIs)!;
        expect([...completed.ranges()]).toEqual([
          { from: 11, to: 12 },
          { from: 13, to: 14 },
        ]);
      }
      same(readParallelConsumer(base64(packed[form]!, ...payload), 10, 100, null), null);
    }
  });

  test("O5: lengths are unsigned and end at the log's end", () => {
    const text = base64("e", 0, 0, 0, 1, 0x80, 0, 0, 0);
    expect([...readParallelConsumer(text, 5, 50, null)!.ranges()]).toEqual([{ from: 6, to: 50 }]);
    const short = base64("n", 0, 1, 0xff, 0xff);
    expect([...readParallelConsumer(short, 5, 1e6, null)!.ranges()]).toEqual([
      { from: 6, to: 6 + 0xffff },
    ]);
    same(readParallelConsumer(text, 60, 50, null)!.count, 0);
  });

  test("O5: what does not parse is no information", () => {
    const wrong = [
      "",
      "n",
      "bgA",
      base64("n"),
      base64("n", 0, 1, 0),
      base64("e", 0, 1, 0, 1, 0, 1),
      base64("l", 0),
      base64("l", 0, 8, 255),
      base64("l", 255, 255, 1, 0),
      base64("o", 255, 255, 255, 255, 1, 0),
      base64("L", 0, 1, 0, 1),
      base64(0xee, 0, 1, 0, 1),
      base64(1, 0, 0, 0, 1),
      base64(2, 0, 0, 0, 1),
      ` ${base64("n", 0, 1, 0, 1)}`,
      base64("n", 0, 1, 0, 1).slice(0, -1),
      base64("n", 0, 1, 0, 1).replace(/=*$/, ""),
    ];
    for (const text of wrong) same(readParallelConsumer(text, 0, 100, asItIs), null);
    same(readParallelConsumer(base64("n", 0, 1, 0, 1), 0, 100, null)!.count, 1);
    const overflow = base64("e", 255, 255, 255, 255, 255, 255, 255, 255);
    same(readParallelConsumer(overflow, Number.MAX_SAFE_INTEGER - 5, 2 ** 53, null), null);
  });

  test("O5: an inflater that throws or gives too much is no information", () => {
    const text = base64("p", 0, 0, 0, 1, 0, 0, 0, 1);
    const bomb = (): Uint8Array => new Uint8Array(2 ** 24);
    const broken = (): Uint8Array => {
      throw new Error("no frame");
    };
    same(readParallelConsumer(text, 0, 100, bomb), null);
    same(readParallelConsumer(text, 0, 100, broken), null);
  });
});
