/**
 * The completed map in the commit metadata: how much fits, and what it costs.
 *
 *   node bench/offset-map.ts [--json]     a runtime with zstd: Node 22.15 or newer, Bun
 *
 * Capacity is the largest range of offsets whose map fits whole into 4,096 UTF-16 units, next to the best of bitset
 * and run lengths, with and without zstd, in base64: what Confluent Parallel Consumer writes. Median of the seeds.
 */
import { zstdCompressSync } from "node:zlib";
import { OffsetTracker } from "../src/mark/offset-tracker.ts";
import { CompletedOffsets } from "../src/metadata/completed-offsets.ts";
import { decodeMetadata } from "../src/metadata/decode-metadata.ts";
import { encodeMetadata } from "../src/metadata/encode-metadata.ts";
import { joinRuns } from "../src/metadata/join-runs.ts";
import type { MetadataForm } from "../src/metadata/text-code.ts";
import { bursts, independent, type Shape, stuckWithTail } from "../test/metadata/shapes.ts";
import { randomOf } from "../test/wasm/random.ts";
import { median } from "./support/rounds.ts";

const json = process.argv.includes("--json");
const MAX_LENGTH = 4096;
const SEEDS = [1, 2, 3];
/** Capacities are found to within this share of themselves. */
const PRECISION = 0.002;
const OFFSET = 1_000_000_000;
const topicId: Uint8Array = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

/** Goals in thousands of offsets, from the design. */
const PATTERNS: readonly { name: string; shape: Shape; goal: number }[] = [
  { name: "independent, 10 %", shape: independent(0.1), goal: 105 },
  { name: "independent, 1 %", shape: independent(0.01), goal: 600 },
  { name: "one stuck, tail 50 %", shape: stuckWithTail, goal: 1050 },
  { name: "bursts of 8, 2 %", shape: bursts(8, 0.02), goal: 1500 },
];

function print(line: Readonly<Record<string, string | number>>): void {
  if (json) console.log(JSON.stringify(line));
  else
    console.log(
      Object.entries(line)
        .map(([name, value]) => `${name} ${value}`)
        .join("   "),
    );
}

function write(
  runs: readonly number[],
  form: MetadataForm,
  offset = OFFSET,
): ReturnType<typeof encodeMetadata> {
  const input = {
    offset,
    logEnd: offset + 2 ** 31,
    topicId,
    runs,
    userText: null,
    segmentation: null,
  };
  return encodeMetadata(input, { form, maxLength: MAX_LENGTH });
}

/** A map ends with a done offset: what is open above says nothing, to either side. */
function upToDone(runs: readonly number[]): readonly number[] {
  return runs.length % 2 === 0 ? runs : runs.slice(0, -1);
}

/** Base64 characters of the best that Parallel Consumer has for these runs. */
function baselineLength(runs: readonly number[]): number {
  const span = runs.reduce((sum, length) => sum + length, 0);
  const bits = new Uint8Array(4 + Math.ceil(span / 8) + 1);
  const lengths = new Uint8Array(4 * runs.length);
  new DataView(bits.buffer).setUint32(0, span);
  const view = new DataView(lengths.buffer);
  let position = 0;
  for (const [i, length] of runs.entries()) {
    view.setUint32(i * 4, length);
    const end = position + length;
    if (i % 2 === 1) for (let at = position; at < end; at++) bits[4 + (at >>> 3)]! |= 1 << (at & 7);
    position = end;
  }
  // Its first bitset and run lengths have numbers of 2 bytes; smaller before zstd, where they can hold the values.
  const candidates = [bits, lengths];
  if (runs.every((length) => length <= 0x7fff)) {
    candidates.push(Uint8Array.from(lengths.filter((_, i) => i % 4 >= 2)));
  }
  const sizes = candidates.flatMap((bytes) => [bytes.length, zstdCompressSync(bytes).length]);
  return Math.ceil((1 + Math.min(...sizes)) / 3) * 4;
}

/** The largest range that fits. */
function capacity(shape: Shape, seed: number, fits: (runs: readonly number[]) => boolean): number {
  let low = 1000;
  let high = 8_000_000;
  while (high - low > low * PRECISION) {
    const middle = Math.floor((low + high) / 2);
    if (fits(upToDone(shape(randomOf(seed), middle)))) low = middle;
    else high = middle;
  }
  return low;
}

function benchCapacity(): void {
  for (const { name, shape, goal } of PATTERNS) {
    const thousands = (fits: (runs: readonly number[]) => boolean): number =>
      Math.round(median(SEEDS.map((seed) => capacity(shape, seed, fits))) / 1000);
    const dense = thousands((runs) => !write(runs, "dense").truncated);
    const ascii = thousands((runs) => !write(runs, "ascii").truncated);
    const baseline = thousands((runs) => baselineLength(runs) <= MAX_LENGTH);
    const ratio = Number((dense / baseline).toFixed(2));
    print({ capacity: name, dense, goal, ascii, baseline, ratio });
  }
}

/** Milliseconds of one call: median of some, after a warm-up. */
function took(run: () => unknown): number {
  const times: number[] = [];
  for (let round = 0; round < 25; round++) {
    const start = performance.now();
    run();
    if (round >= 5) times.push(performance.now() - start);
  }
  return Number(median(times).toFixed(3));
}

/** 100,000 runs: all of them in a string that is long enough, and what fits of them. */
function benchRuns(): void {
  for (const { name, shape } of PATTERNS) {
    let offsetCount = 100_000;
    while (shape(randomOf(1), offsetCount).length < 100_000) offsetCount *= 1.2;
    const runs = upToDone(shape(randomOf(1), offsetCount)).slice(0, 100_000);
    const input = {
      offset: OFFSET,
      logEnd: 2 ** 40,
      topicId,
      runs,
      userText: null,
      segmentation: null,
    };
    const long = { form: "dense", maxLength: 1 << 20 } as const;
    const { text } = encodeMetadata(input, long);
    const context = { offset: OFFSET, logEnd: 2 ** 40, topicId };
    const encodeMs = took(() => encodeMetadata(input, long));
    const decodeMs = took(() => decodeMetadata(text, context));
    const encode4096Ms = took(() => write(runs, "dense"));
    const { text: short } = write(runs, "dense");
    const decode4096Ms = took(() => decodeMetadata(short, { ...context, logEnd: 2 ** 40 }));
    print({
      runs: 100_000,
      pattern: name,
      units: text.length,
      encodeMs,
      decodeMs,
      encode4096Ms,
      decode4096Ms,
    });
  }
}

/** A commit: the tracker's runs, what a former owner had done, and the text. */
function benchCommit(): void {
  const nothing = CompletedOffsets.none();
  for (const span of [2 ** 20, 2 ** 25, 2 ** 30]) {
    for (const openCount of [10, 1000, 10_000]) {
      const tracker = new OffsetTracker(0);
      const step = Math.floor(span / openCount);
      for (let i = 0; i < openCount; i++) tracker.deliver(i * step, 1, null, i * step + 1);
      tracker.advance(span);
      const commit = (): unknown => {
        const runs = joinRuns(tracker.runs(), tracker.nextOffset, nothing);
        return write(runs, "dense", tracker.committable);
      };
      const runs = tracker.runs().length;
      print({
        commit: `2^${Math.log2(span)} offsets`,
        runs,
        runsMs: took(() => tracker.runs()),
        commitMs: took(commit),
      });
    }
  }
}

benchCapacity();
benchRuns();
benchCommit();
