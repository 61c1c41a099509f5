import type { SourceFactory } from "../../src/source/source.ts";

/** Writes as many records to each partition: keys of 20 for each, in turns, values count from 0. */
export async function fillPartitions(
  factory: SourceFactory,
  topic: string,
  partitions: number,
  records: number,
): Promise<void> {
  const sink = factory.sink!();
  await sink.open();
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const batches = Array.from({ length: partitions }, (_, partition) => ({
    topic,
    partition,
    records: Array.from({ length: records }, (_unused, index) => ({
      key: bytes(`customer-${partition}-${index % 20}`),
      value: bytes(String(index)),
      headers: [],
      timestamp: Date.now(),
      id: null,
    })),
  }));
  for (const outcome of await sink.send(batches)) {
    if ("error" in outcome) throw outcome.error;
  }
  await sink.close();
}
