/**
 * A producer in a process of its own: `fork` this file with a `ProducerPlan` as JSON. Answers
 * `{ sent }` as it goes.
 *
 * Offsets are known before: one partition, one request at a time, so record i has offset i.
 */
import { Partitioners } from "kafkajs";
import { client } from "./kafka.ts";
import { zipfKeys } from "./zipf-keys.ts";

/** What is produced. Keys are `k0`, `k1`, … */
export interface ProducerPlan {
  readonly bootstrap: string;
  readonly topic: string;
  readonly count: number;
  /** Messages per second; 0: as fast as it goes. */
  readonly rate: number;
  readonly bytes: number;
  readonly keys: number;
  /** Zipf's exponent; null: k1, k2, … in turn, and k0 only as `special` says. */
  readonly zipf: number | null;
  /** Records from offset `from` on, one in `every` (0: that one alone), have the key k0. */
  readonly special: { readonly from: number; readonly every: number } | null;
}

/** Most records of one request. */
const REQUEST_RECORDS = 2000;
/** Pause between looks at the clock: what became due in it is one request. */
const TICK_MS = 10;

function keysOf({ keys, zipf, special }: ProducerPlan): (offset: number) => number {
  if (zipf !== null) return zipfKeys(keys, zipf);
  return (offset) => {
    const since = special === null ? -1 : offset - special.from;
    const every = special?.every ?? 0;
    if (since === 0 || (since > 0 && every > 0 && since % every === 0)) return 0;
    return 1 + (offset % (keys - 1));
  };
}

async function produce(plan: ProducerPlan): Promise<void> {
  const { topic, count, rate, bytes } = plan;
  const keyOf = keysOf(plan);
  const kafka = client(plan.bootstrap);
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const value = Buffer.alloc(bytes, "x");
  const beganMs = performance.now();
  for (let next = 0; next < count; ) {
    const dueByNow = Math.floor(((performance.now() - beganMs) * rate) / 1000);
    const due = rate === 0 ? count : Math.min(count, dueByNow);
    const size = Math.min(REQUEST_RECORDS, due - next);
    if (size > 0) {
      const messages = Array.from({ length: size }, () => ({ key: `k${keyOf(next++)}`, value }));
      await producer.send({ topic, messages });
      process.send?.({ sent: next });
    }
    if (due - next <= 0) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await producer.disconnect();
}

await produce(JSON.parse(process.argv[2]!) as ProducerPlan);
process.exit(0);
