/**
 * Produces without waiting for each record: batches form by themselves, a full buffer is waited out, and what became
 * of the records is told by events.
 *
 * Needs nothing but a directory.
 *
 *     node examples/produce-async.ts
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { log, openLog } from "../src/adapters/log.ts";
import { CapacityError, createProducer, type ProducerRecord } from "../src/index.ts";

const READINGS = 20_000;
const directory = await mkdtemp(join(tmpdir(), "headrace-example-"));
const data = await openLog(directory, { topics: { readings: { partitions: 2 } } });
const producer = createProducer({
  sink: log(data),
  linger: { ms: 5, maxMessages: 500 },
  // Small, so that it is full now and then.
  maxBufferedBytes: 256 * 1024,
  // The events say it all.
  logger: false,
});

let delivered = 0;
producer.on("delivered", ({ records }) => {
  delivered += records.length;
});
producer.on("error", ({ error, record }) => console.log(`${record.value}: ${error.message}`));

/** Takes the record, or waits until there is room for it. */
async function send(record: ProducerRecord): Promise<void> {
  for (;;) {
    try {
      producer.produceAsync(record);
      return;
    } catch (error) {
      if (!(error instanceof CapacityError)) throw error;
      await producer.flush();
    }
  }
}

for (let reading = 0; reading < READINGS; reading++) {
  await send({ topic: "readings", key: `sensor-${reading % 50}`, value: String(reading) });
}
// Alarms are not lost with this process: each is waited for.
const alarm = await producer.produce({ topic: "readings", key: "sensor-7", value: "too hot" });
console.log(`alarm at partition ${alarm.partition}`);

// A record that names a partition that is not there.
producer.produceAsync({ topic: "readings", value: "lost?", partition: 9 });
await producer
  .flush()
  .catch(({ errors }: AggregateError) => console.log(`${errors.length} failed`));
console.log(
  `${delivered} delivered, ${producer.stats().batches < 100 ? "in few" : "in many"} batches`,
);

await producer.close();
await data.close();
await rm(directory, { recursive: true });
