/**
 * Parallel handlers that wait: headrace on a real broker against a bare promise pool with the same handler.
 *
 *   node bench/pool.ts [--json] [--rounds N]
 *
 * main  20,000 × 0–5 ms, 1 partition, 500 keys, 100 at once
 * b1    10,000 × 0–5 ms, 1 partition, 1,000 keys, 100 at once
 * b5    25,000 × 1–5 ms, 8 partitions, 1,000 keys, 32 at once
 */
import { parseArgs } from "node:util";
import { evenWork } from "./support/check.ts";
import { fillTopic, withBroker } from "./support/kafka.ts";
import { report, takeTurns } from "./support/rounds.ts";
import { headrace, kafkajsByKey, pool } from "./support/subjects.ts";

const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } },
});
const cells = {
  main: { count: 20_000, keys: 500, partitions: 1, concurrency: 100, work: evenWork(0, 5) },
  b1: { count: 10_000, keys: 1000, partitions: 1, concurrency: 100, work: evenWork(0, 5) },
  b5: { count: 25_000, keys: 1000, partitions: 8, concurrency: 32, work: evenWork(1, 5) },
};

await withBroker(async (bootstrap) => {
  for (const [name, shape] of Object.entries(cells)) {
    const topic = await fillTopic(bootstrap, name, { ...shape, bytes: 100 });
    const cell = { ...shape, bootstrap, topic };
    const rounds = await takeTurns(name, Number(values.rounds), {
      pool: () => pool(cell),
      "kafkajs by key": () => kafkajsByKey(cell),
      "headrace consistent": () => headrace(cell, { distribution: "consistent" }),
      "headrace balanced": () => headrace(cell, { distribution: "balanced" }),
      "headrace per-key": () => headrace(cell, { distribution: "per-key" }),
    });
    report(name, cell.count, rounds, "pool", values.json);
  }
});
process.exit(0);
