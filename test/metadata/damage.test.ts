import { describe, expect, test } from "bun:test";
import type { CompletedOffsets } from "../../src/metadata/completed-offsets.ts";
import { decodeMetadata } from "../../src/metadata/decode-metadata.ts";
import { encodeMetadata } from "../../src/metadata/encode-metadata.ts";
import { findZstd } from "../../src/runtime/zstd.ts";
import { same } from "../schedule/lanes.ts";
import { randomOf, SEEDS, withSeed } from "../wasm/random.ts";
import { parallelConsumerSamples } from "./parallel-consumer-samples.ts";
import { SHAPES } from "./shapes.ts";

const FORMS = ["dense", "ascii"] as const;
const OFFSET = 70_000;
const topicId = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const context = { offset: OFFSET, logEnd: OFFSET + 2 ** 32, topicId };

interface Written {
  readonly text: string;
  /** Every done range. */
  readonly ranges: string;
}

function write(random: () => number, form: (typeof FORMS)[number], size: number): Written {
  const shapes = Object.values(SHAPES);
  const runs = shapes[Math.floor(random() * shapes.length)]!(random, size);
  const userText = random() < 0.3 ? "user's text." : null;
  const given = { offset: OFFSET, logEnd: OFFSET, topicId, runs, userText, segmentation: null };
  const { text } = encodeMetadata(given, { form, maxLength: 200 });
  return { text, ranges: rangesOf(decodeMetadata(text, context).completed) };
}

function rangesOf(completed: CompletedOffsets): string {
  return JSON.stringify([...completed.ranges()]);
}

/** What one hostile step makes of a text. */
function mutated(text: string, random: () => number): string {
  const at = Math.floor(random() * text.length);
  const other = Math.floor(random() * text.length);
  const unit = random() < 0.5 ? text[other]! : String.fromCharCode(Math.floor(random() * 65_536));
  switch (Math.floor(random() * 6)) {
    case 0:
      return text.slice(0, at) + unit + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + unit + text.slice(at);
    case 3:
      return text.slice(0, at);
    case 4:
      return text.slice(0, at) + text.slice(other);
    default: {
      const next = String.fromCharCode(text.charCodeAt(at) ^ (1 << Math.floor(random() * 16)));
      return text.slice(0, at) + next + text.slice(at + 1);
    }
  }
}

describe("decodeMetadata() of damaged text", () => {
  for (const form of FORMS) {
    test(`O5: one character changed, dropped or doubled gives the same map or none: ${form}`, () => {
      const seed = 7;
      withSeed(seed, (random) => {
        const { text, ranges } = write(random, form, 400);
        const units = form === "dense" ? 15 : 7;
        for (let at = 0; at < text.length; at++) {
          const [before, unit, after] = [text.slice(0, at), text[at]!, text.slice(at + 1)];
          const variants = [before + after, before + unit + unit + after];
          for (let bit = 0; bit < units; bit++) {
            variants.push(before + String.fromCharCode(unit.charCodeAt(0) ^ (1 << bit)) + after);
          }
          for (let k = 1; k < 60; k++) {
            variants.push(before + text[(at + k) % text.length]! + after);
            variants.push(before + String.fromCharCode(unit.charCodeAt(0) + k) + after);
          }
          for (const variant of variants) {
            const { completed, origin } = decodeMetadata(variant, context);
            if (origin !== "none") same(rangesOf(completed), ranges);
            else same(completed.count, 0);
          }
        }
      });
    });
  }

  test("O5: 100,000 mutated and random texts never throw and never name an offset that was not done", () => {
    const seed = SEEDS[SEEDS.length - 1]!;
    const inflateZstd = findZstd();
    withSeed(seed, (random) => {
      const texts = Array.from({ length: 40 }, (_, i) => write(random, FORMS[i % 2]!, 200));
      let read = 0;
      for (let round = 0; round < 70_000; round++) {
        const { text, ranges } = texts[round % texts.length]!;
        let variant = text;
        for (let steps = random() < 0.7 ? 1 : 3; steps > 0; steps--) {
          variant = mutated(variant, random);
        }
        const { completed, origin } = decodeMetadata(variant, { ...context, inflateZstd });
        if (origin === "headrace") same(rangesOf(completed), ranges);
        else same(completed.count, 0);
        if (origin === "headrace") read++;
      }
      // Some must survive, or this tests nothing: those without the disposable character.
      same(read > 0, true);
      for (let round = 0; round < 30_000; round++) {
        const length = Math.floor(random() * 60);
        const width = random() < 0.5 ? 128 : 65_536;
        const start = random() < 0.5 ? "" : random() < 0.5 ? "~" : "!";
        let text = start;
        for (let i = 0; i < length; i++) text += String.fromCharCode(Math.floor(random() * width));
        const { completed, origin } = decodeMetadata(text, { ...context, inflateZstd });
        // A few letters of base64 can happen to be a map without a checksum.
        if (origin !== "parallel-consumer") same(completed.count, 0);
      }
    });
  });

  test("O5: no part of a text is a map of Parallel Consumer", () => {
    const seed = SEEDS[SEEDS.length - 1]!;
    withSeed(seed, (random) => {
      for (let round = 0; round < 20; round++) {
        const { text } = write(random, "ascii", 200);
        for (let from = 1; from < text.length; from++) {
          for (let to = from + 4; to <= text.length; to += 4) {
            same(decodeMetadata(text.slice(from, to), context).origin, "none");
          }
        }
      }
    });
  });

  test("O5: mutated maps of Parallel Consumer never throw, and end at the log's end", () => {
    const seed = SEEDS[SEEDS.length - 1]!;
    const inflateZstd = findZstd();
    withSeed(seed, (random) => {
      for (let round = 0; round < 20_000; round++) {
        const sample = parallelConsumerSamples[round % parallelConsumerSamples.length]!;
        const { committed: offset, end: logEnd } = sample;
        const text = mutated(sample.metadata, random);
        // Without a checksum a changed map is another map: only its bounds can be kept.
        const { completed } = decodeMetadata(text, { offset, logEnd, topicId, inflateZstd });
        for (const { from, to } of completed.ranges()) {
          same(from >= offset && from < to && to <= logEnd, true);
        }
      }
    });
  });

  test("the seeds of this file make the same texts again", () => {
    expect(write(randomOf(5), "dense", 100)).toEqual(write(randomOf(5), "dense", 100));
  });
});
