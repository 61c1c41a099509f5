/**
 * The kernel against the usual JavaScript, on messages that kafkajs decoded: run it with any
 * runtime.
 *
 *   node bench/kernel.ts [--json]
 *
 * group     hash each key, reduce to 16 virtual partitions         usual: murmurhash-js and an
 * array push per bin balanced  largest key first to the least-loaded of 16            usual: Map on
 * key text, sort, least-loaded per-key   each key on a lane of its own
 * usual: Map on key text raw       hash keys in place in the record batch, then group     usual:
 * kafkajs decodes, then as `group`
 *
 * The kernel also remembers keys in flight: its balanced and per-key rounds take out the batch
 * before, all of which has finished. Every variant must give the same groups before anything is timed. Variants
 * take turns; the figure is the best round.
 */
import { Buffer } from "node:buffer";
import { createRequire } from "node:module";
import process from "node:process";
import murmurhash from "murmurhash-js";
import { hashKeys, type KeySource, murmur3 } from "../src/wasm/hash.ts";
import { Kernel, PARTITION_KEY_SEED, type Placement } from "../src/wasm/kernel.ts";

const BIN_COUNT = 16;
const VALUE_BYTES = 100;
const ROUND_MS = 12;
const CASE_MS = 700;
const MIN_ROUNDS = 4;

interface Message {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly offset: string;
}

/** The same record batch in every form that a variant may take. */
interface Input {
  readonly messages: readonly Message[];
  /** The keys of `messages`, as a source gives them to the grouper. */
  readonly keys: KeySource;
  readonly decode: () => Promise<readonly Message[]>;
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Hashes of the batch, as finished messages of the batch before. */
  readonly finished: Uint32Array;
}

/** Keys of decoded messages; a class, as the record batches of the adapters are. */
class MessageKeys implements KeySource {
  readonly #messages: readonly Message[];

  constructor(messages: readonly Message[]) {
    this.#messages = messages;
  }

  keyAt(index: number): Uint8Array {
    return this.#messages[index]!.key;
  }
}

/** One way to do a task; `lists` makes the result comparable. */
interface Variant {
  readonly name: string;
  readonly run: (input: Input) => unknown;
  readonly lists: (result: never, input: Input) => number[][];
}

const require = createRequire(import.meta.url);
const { RecordBatch } = require("kafkajs/src/protocol/recordBatch/v0/index.js");
const encodeRecord = require("kafkajs/src/protocol/recordBatch/record/v0/index.js");
const decodeBatch = require("kafkajs/src/protocol/recordBatch/v0/decoder.js");
const Decoder = require("kafkajs/src/protocol/decoder.js");

// --- the usual JavaScript ---

function usualGroup({ messages }: Input): Message[][] {
  const bins: Message[][] = Array.from({ length: BIN_COUNT }, () => []);
  for (const message of messages) {
    const hash = murmurhash.murmur3(message.key.toString(), PARTITION_KEY_SEED);
    bins[Math.floor((hash * BIN_COUNT) / 2 ** 32)]!.push(message);
  }
  return bins;
}

function usualPerKey({ messages }: Input): Message[][] {
  const groups = new Map<string, Message[]>();
  for (const message of messages) {
    const key = message.key.toString();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [message]);
    else group.push(message);
  }
  return [...groups.values()];
}

function usualBalanced(input: Input): Message[][] {
  const groups = usualPerKey(input).sort((a, b) => b.length - a.length);
  const bins: Message[][] = Array.from({ length: BIN_COUNT }, () => []);
  for (const group of groups) {
    let least = bins[0]!;
    for (const bin of bins) if (bin.length < least.length) least = bin;
    for (const message of group) least.push(message);
  }
  return bins;
}

/** Offsets per list, ascending; empty lists do not count. */
function offsetLists(lists: Message[][]): number[][] {
  const offsets = lists.map((list) => list.map((message) => Number(message.offset)));
  return offsets.filter((list) => list.length > 0).map((list) => list.sort((a, b) => a - b));
}

// --- the kernel and its twin ---

const loads = new Uint32Array(BIN_COUNT);

function fillHashes(kernel: Kernel, { messages, keys }: Input): void {
  hashKeys(keys, messages.length, kernel.hashColumn(messages.length));
}

function kernelGroup(kernel: Kernel, input: Input): Placement {
  fillHashes(kernel, input);
  return kernel.reduce(input.messages.length, BIN_COUNT);
}

/** In the first round no message of a batch before is in flight. */
function finishedCount(kernel: Kernel, input: Input): number {
  return kernel.keysInFlight === 0 ? 0 : input.finished.length;
}

function kernelBalanced(kernel: Kernel, input: Input): Placement {
  const { messages, finished } = input;
  fillHashes(kernel, input);
  const count = finishedCount(kernel, input);
  return kernel.pack(messages.length, BIN_COUNT, loads, finished, count);
}

function kernelPerKey(kernel: Kernel, input: Input): Placement {
  fillHashes(kernel, input);
  return kernel.group(input.messages.length, input.finished, finishedCount(kernel, input));
}

function kernelRaw(kernel: Kernel, { messages, bytes, starts, ends }: Input): Placement {
  kernel.hashRaw(bytes, starts, ends, messages.length, PARTITION_KEY_SEED);
  return kernel.reduce(messages.length, BIN_COUNT);
}

function placementLists({ groupCount, starts, order }: Placement): number[][] {
  return Array.from({ length: groupCount }, (_, g) =>
    Array.from(order.subarray(starts[g]!, starts[g + 1]!)),
  );
}

type KernelRun = (kernel: Kernel, input: Input) => Placement;

function engines(run: KernelRun): Variant[] {
  return (["auto", "twin"] as const).map((engine) => {
    const kernel = new Kernel(engine);
    return {
      name: engine === "auto" ? "kernel" : "twin",
      run: (input) => run(kernel, input),
      lists: placementLists as Variant["lists"],
    };
  });
}

function usual(name: string, run: Variant["run"]): Variant {
  return { name, run, lists: offsetLists as Variant["lists"] };
}

/**
 * Made anew for every size, so that no kernel holds keys of another batch. The first variant is
 * the baseline.
 */
function tasks(): Record<string, Variant[]> {
  return {
    group: [usual("usual", usualGroup), ...engines(kernelGroup)],
    balanced: [usual("usual", usualBalanced), ...engines(kernelBalanced)],
    "per-key": [usual("usual", usualPerKey), ...engines(kernelPerKey)],
    raw: [
      usual("usual", async (input) => usualGroup({ ...input, messages: await input.decode() })),
      ...engines(kernelRaw),
    ],
  };
}

// --- input ---

/**
 * A record batch of so many messages: keys of 16 to 36 bytes, skewed when there are fewer keys
 * than messages.
 */
async function makeInput(messageCount: number, keyCount: number): Promise<Input> {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const keys = Array.from({ length: keyCount }, (_, i) =>
    Buffer.from(`customer-${i}-`.padEnd(16 + Math.floor(random() * 21), "0123456789abcdef")),
  );
  const records = Array.from({ length: messageCount }, (_, i) =>
    encodeRecord({
      offsetDelta: i,
      timestampDelta: i,
      key: keys[keyCount === messageCount ? i : Math.floor(random() ** 2 * keyCount)],
      value: Buffer.alloc(VALUE_BYTES, i),
    }),
  );
  const batch: Buffer = (await RecordBatch({ records })).buffer;
  const decode = async () => (await decodeBatch(new Decoder(batch))).records as Message[];
  const messages = await decode();
  const bytes = new Uint8Array(batch.buffer, batch.byteOffset, batch.byteLength);
  const starts = Uint32Array.from(messages, ({ key }) => key.byteOffset - batch.byteOffset);
  const ends = starts.map((start, i) => start + messages[i]!.key.length);
  const finished = Uint32Array.from(messages, ({ key }) => murmur3(key, PARTITION_KEY_SEED));
  return { messages, keys: new MessageKeys(messages), decode, bytes, starts, ends, finished };
}

// --- measuring ---

interface Result {
  task: string;
  messages: number;
  keys: number;
  /** Best round, nanoseconds per message. */
  ns: Record<string, number>;
  /** How many times the baseline's speed. */
  ratio: Record<string, number>;
}

/** Twice, since the second batch of a kernel takes out the first. */
async function checkEqual(task: string, variants: Variant[], input: Input): Promise<void> {
  let wanted: string | undefined;
  for (const variant of [...variants, ...variants]) {
    const result = (await variant.run(input)) as never;
    const lists = JSON.stringify(variant.lists(result, input));
    wanted ??= lists;
    if (lists !== wanted) throw new Error(`${task}: ${variant.name} gives other groups`);
  }
}

async function timeOf(variant: Variant, input: Input, repeats: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) {
    const result = variant.run(input);
    if (result instanceof Promise) await result;
  }
  return (performance.now() - start) / repeats;
}

async function measure(task: string, variants: Variant[], input: Input): Promise<Result> {
  await checkEqual(task, variants, input);
  const repeats: number[] = [];
  for (const variant of variants) {
    // Warm up, then find how many repeats fill a round.
    for (let i = 0; i < 3; i++) await timeOf(variant, input, Math.ceil(5000 / input.starts.length));
    repeats.push(Math.max(1, Math.round(ROUND_MS / (await timeOf(variant, input, 1)))));
  }
  const best = variants.map(() => Number.POSITIVE_INFINITY);
  const end = performance.now() + CASE_MS;
  for (let round = 0; round < MIN_ROUNDS || performance.now() < end; round++) {
    for (const [i, variant] of variants.entries()) {
      best[i] = Math.min(best[i]!, await timeOf(variant, input, repeats[i]!));
    }
  }
  const result: Result = { task, messages: input.messages.length, keys: 0, ns: {}, ratio: {} };
  for (const [i, { name }] of variants.entries()) {
    result.ns[name] = (best[i]! * 1e6) / input.messages.length;
    result.ratio[name] = best[0]! / best[i]!;
  }
  result.keys = new Set(input.finished).size;
  return result;
}

function runtimeName(): string {
  const { bun, deno, node } = process.versions as Record<string, string | undefined>;
  if (bun !== undefined) return `Bun ${bun}`;
  return deno !== undefined ? `Deno ${deno}` : `Node ${node}`;
}

function line({ task, messages, keys, ns, ratio }: Result): string {
  const cells = Object.keys(ns).map(
    (name) => `${name} ${ns[name]!.toFixed(1)} ns (${ratio[name]!.toFixed(1)}x)`,
  );
  const shape = `${String(messages).padStart(6)} messages, ${keys} keys`;
  return `${task.padEnd(9)} ${shape}: ${cells.join("  ")}`;
}

const json = process.argv.includes("--json");
const results: Result[] = [];
for (const [messageCount, keyCount] of [
  [500, 50],
  [10_000, 1000],
  [10_000, 10_000],
  [100_000, 10_000],
] as const) {
  const input = await makeInput(messageCount, keyCount);
  for (const [task, variants] of Object.entries(tasks())) {
    const result = await measure(task, variants, input);
    results.push(result);
    if (!json) console.log(line(result));
  }
}
const headline = results.filter(
  ({ task, messages, keys }) =>
    messages === 10_000 && keys < messages && /group|balanced/.test(task),
);
if (json) {
  console.log(JSON.stringify({ runtime: runtimeName(), results }));
} else {
  const parts = headline.map(({ task, ratio }) => `${task} ${ratio.kernel?.toFixed(1)}x`);
  console.log(
    `${runtimeName()}, kernel against the usual JavaScript at 10,000: ${parts.join(", ")}`,
  );
}
