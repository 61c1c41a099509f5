/**
 * Writes into a log until it is killed. Says in lines, each at once:
 *
 *     torn PARTITION BYTES                      while it opens: a torn tail was cut
 *     open                                      it writes now
 *     ack PARTITION OFFSET COUNT DIGEST         records were acknowledged
 *
 *     kill-writer-child.ts DIRECTORY TOPIC PARTITIONS SEED
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { openLog } from "../../src/adapters/log.ts";
import type { SinkRecord } from "../../src/source/source.ts";
import { digestOf } from "./digest.ts";
import { say } from "./say.ts";
import { random } from "./temporary.ts";

const [directory, topic, partitions, seed] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
];
const next = random(Number(seed));

function records(): SinkRecord[] {
  // One large batch now and then: a kill may land in the middle of its write.
  const isLarge = next() % 16 === 0;
  const count = isLarge ? 1 : 1 + (next() % 20);
  return Array.from({ length: count }, () => {
    const value = Buffer.alloc(isLarge ? 200_000 + (next() % 200_000) : next() % 200, next() % 256);
    return {
      key: Buffer.from(`k${next() % 10}`),
      value,
      headers: [],
      timestamp: 1_700_000_000_000 + (next() % 1000),
      id: null,
    };
  });
}

async function append(): Promise<void> {
  const partition = next() % Number(partitions);
  const written = records();
  const { baseOffset } = await log.append(topic, partition, written);
  say(`ack ${partition} ${baseOffset} ${written.length} ${digestOf(written)}`);
}

const log = await openLog(directory, {
  topics: { [topic]: { partitions: Number(partitions) } },
  segment: { bytes: 256 * 1024 },
  on: { tornTail: ({ partition, bytes }) => say(`torn ${partition} ${bytes}`) },
});
say("open");
for (;;) {
  await Promise.all(Array.from({ length: 1 + (next() % 4) }, append));
  await new Promise((resolve) => setTimeout(resolve, next() % 3));
}
