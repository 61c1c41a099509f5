/**
 * One slow message among many: 50,000 × 2 ms, 1 in 200 takes 500 ms, 5,000 keys, 200 at once (B12).
 *
 *   node bench/tail.ts [--json] [--rounds N] [--messages N]
 *
 * With more messages the last chain of slow messages of one key weighs less.
 *
 * The pool takes key after key and knows all of them from the start; "in log order" it takes messages as they lie in
 * the log, like a consumer must, so that two slow messages of one key near the end follow one another there too. The
 * kafkajs loop groups by key and waits for the batch.
 */
import { parseArgs } from "node:util";
import { tailWork } from "./support/check.ts";
import { fillTopic, withBroker } from "./support/kafka.ts";
import { report, takeTurns } from "./support/rounds.ts";
import { headrace, kafkajsByKey, pool, poolInLogOrder } from "./support/subjects.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    messages: { type: "string", default: "50000" },
  },
});

await withBroker(async (bootstrap) => {
  const count = Number(values.messages);
  const shape = { count, keys: 5000, partitions: 1, concurrency: 200 };
  const topic = await fillTopic(bootstrap, `tail-${count}`, { ...shape, bytes: 50 });
  const cell = { ...shape, bootstrap, topic, work: tailWork(2, 500, 200) };
  const rounds = await takeTurns("tail", Number(values.rounds), {
    pool: () => pool(cell),
    "pool in log order": () => poolInLogOrder(cell),
    "kafkajs by key": () => kafkajsByKey(cell),
    "headrace per-key": () => headrace(cell, { distribution: "per-key" }),
    "headrace balanced": () => headrace(cell, { distribution: "balanced" }),
  });
  report("tail", count, rounds, "pool", values.json);
});
process.exit(0);
