/**
 * DistributionAnalysis on many keys: nanoseconds a message, and the memory that it holds.
 *
 *   node bench/analyze.ts [--json] [--messages 10000000]
 *
 * Baseline: counting every key in a Map and every partition in an array, which is exact, and whose memory grows with
 * the keys. Keys are bytes, made before anything is timed. Node only: garbage is collected before memory is looked at.
 */
import { parseArgs } from "node:util";
import { type AnalysisOptions, DistributionAnalysis } from "../src/tools/index.ts";
import { murmur2 } from "../src/wasm/hash.ts";
import { type MemorySample, sampleMemory } from "./support/memory.ts";
import { zipfKeys } from "./support/zipf-keys.ts";

const PARTITIONS = 12;
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    messages: { type: "string", default: "10000000" },
  },
});
const MESSAGES = Number(values.messages);
const decoder = new TextDecoder();

/** Writes the next key into the buffer and answers its bytes there. */
type NextKey = () => Uint8Array;

const sources: Readonly<Record<string, NextKey>> = {
  "1,000 keys": numbered(zipfKeys(1000, 0)),
  "zipf, 1,000,000 keys": numbered(zipfKeys(1_000_000, 1)),
  "every key once": numbered(countUp()),
};

function countUp(): () => number {
  let next = 0;
  return () => next++;
}

/** "order-00001234", in one buffer that is used again, as clients do. */
function numbered(draw: () => number): NextKey {
  const bytes = new TextEncoder().encode("order-00000000");
  return () => {
    let rest = draw();
    for (let at = bytes.length - 1; at >= 6; at--) {
      bytes[at] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    return bytes;
  };
}

interface Figures {
  readonly shape: string;
  readonly subject: string;
  readonly nsPerMessage: number;
  readonly heldMib: number;
}

/** What making the keys alone costs is taken off. */
function measure(shape: string, subject: string, begin: () => (key: Uint8Array) => void): Figures {
  const next = sources[shape]!;
  const emptyFrom = performance.now();
  for (let at = 0; at < MESSAGES; at++) next();
  const emptyMs = performance.now() - emptyFrom;
  // Twice: what the last subject held goes in two steps.
  sampleMemory();
  const before = held(sampleMemory());
  const add = begin();
  const from = performance.now();
  for (let at = 0; at < MESSAGES; at++) add(next());
  const ms = performance.now() - from - emptyMs;
  const heldMib = held(sampleMemory()) - before;
  // Still in use: not collected before memory was looked at.
  add(next());
  return {
    shape,
    subject,
    nsPerMessage: Math.round((ms / MESSAGES) * 1e6),
    heldMib: Math.round(heldMib * 10) / 10,
  };
}

function held({ heap, external }: MemorySample): number {
  return heap + external;
}

const analysis = (options: AnalysisOptions) => (): ((key: Uint8Array) => void) => {
  const one = new DistributionAnalysis<Uint8Array>(options as AnalysisOptions<Uint8Array>);
  return (key) => one.add(key);
};

function countAll(): (key: Uint8Array) => void {
  const keys = new Map<string, number>();
  const counts = new Float64Array(PARTITIONS);
  return (key) => {
    const text = decoder.decode(key);
    keys.set(text, (keys.get(text) ?? 0) + 1);
    const partition = (murmur2(key) & 0x7fffffff) % PARTITIONS;
    counts[partition] = counts[partition]! + 1;
  };
}

const SUBJECTS: Readonly<Record<string, () => (key: Uint8Array) => void>> = {
  "a Map of all keys": countAll,
  partitions: analysis({ partitions: PARTITIONS, placement: "murmur2" }),
  "virtual partitions": analysis({ partitions: PARTITIONS }),
};

for (const shape of Object.keys(sources)) {
  for (const [subject, begin] of Object.entries(SUBJECTS)) {
    // Hundreds of bytes a key.
    if (shape === "every key once" && begin === countAll && MESSAGES > 2_000_000) continue;
    process.stderr.write(`\r${shape}, ${subject}`.padEnd(60));
    const figures = measure(shape, subject, begin);
    process.stderr.write(`\r${"".padEnd(60)}\r`);
    if (values.json) console.log(JSON.stringify({ messages: MESSAGES, ...figures }));
    else {
      const ns = String(figures.nsPerMessage).padStart(6);
      const mib = figures.heldMib.toFixed(1).padStart(8);
      console.log(`${shape.padEnd(22)} ${subject.padEnd(20)} ${ns} ns  ${mib} MiB`);
    }
  }
}
