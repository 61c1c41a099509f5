import { afterEach, describe, expect, test } from "bun:test";
import type { RetentionOptions } from "../../src/log/topic-options.ts";
import { KeptLog } from "./kept-log.ts";
import { random, removeTemporary } from "./temporary.ts";

const PARTITIONS = 2;
const OPERATIONS = 40;
const SEGMENT_BYTES = 4096;

afterEach(removeTemporary);

/** One partition as far as it matters here. */
interface Model {
  logStart: number;
  readonly committed: Map<string, number>;
}

/** What nobody may remove: the lowest position of the groups, if there is any. */
function barrierOf({ committed }: Model): number {
  return Math.min(Number.POSITIVE_INFINITY, ...committed.values());
}

/** Checks a partition after an operation. */
function check(log: KeptLog, model: Model, partition: number, note: object): void {
  const { logStart, logEnd } = log.topic.partitions[partition]!;
  const whole = { ...note, partition, before: model.logStart, logStart, logEnd };
  const good = {
    monotone: logStart >= model.logStart,
    // Files begin with the log start: nothing below it is left, nothing at it is missing.
    files: log.files(".log", partition)[0] ?? 0,
    committedOnly: logStart <= Math.max(model.logStart, barrierOf(model)),
  };
  expect({ ...whole, ...good }).toEqual({
    ...whole,
    monotone: true,
    files: logStart,
    committedOnly: true,
  });
  const expected = Array.from({ length: logEnd - logStart }, (_, at) => logStart + at);
  expect({ ...whole, offsets: log.offsets(partition) }).toEqual({ ...whole, offsets: expected });
  model.logStart = logStart;
}

async function operate(
  log: KeptLog,
  models: readonly Model[],
  next: () => number,
  retention: RetentionOptions,
): Promise<string> {
  const partition = next() % PARTITIONS;
  const model = models[partition]!;
  const { logEnd } = log.topic.partitions[partition]!;
  const kind = next() % 10;
  if (kind < 5) {
    for (let batch = next() % 12; batch >= 0; batch--) log.append(partition);
  } else if (kind < 8) {
    const groupId = `g${next() % 2}`;
    const from = model.committed.get(groupId) ?? 0;
    const offset = from + (next() % (logEnd - from + 1));
    log.commit(groupId, offset, partition);
    model.committed.set(groupId, offset);
  } else if (kind === 8) {
    await log.reopen({ retention });
  }
  const ms = [0, 100, 1000, 5000][next() % 4]!;
  await log.clock.advance(ms);
  return `${kind} on ${partition}, then ${ms} ms`;
}

describe("Retention", () => {
  test.each([1, 2, 3, 4, 5, 6])(
    "never breaks a rule in random operations, seed %d",
    async (seed) => {
      const next = random(seed);
      const retention: RetentionOptions = {
        maxAgeMs: [null, 3000][next() % 2]!,
        maxTopicBytes: 4 * SEGMENT_BYTES,
        deleteOldestSegments: true,
      };
      const log = new KeptLog({ retention }, PARTITIONS);
      const models = Array.from({ length: PARTITIONS }, (): Model => {
        return { logStart: 0, committed: new Map() };
      });
      try {
        const done: string[] = [];
        for (let operation = 0; operation < OPERATIONS; operation++) {
          done.push(await operate(log, models, next, retention));
          const note = { seed, done: done.slice(-5) };
          models.forEach((model, partition) => {
            check(log, model, partition, note);
          });
          await log.store.retain("t", false);
          const { partitions } = log.topic;
          const bytes = partitions.reduce((sum, one) => sum + one.bytes, 0);
          const stuck = partitions.every(({ sealed }, partition) => {
            return sealed.length === 0 || sealed[0]!.nextOffset > barrierOf(models[partition]!);
          });
          const small = bytes <= retention.maxTopicBytes! || stuck;
          expect({ ...note, bytes, small }).toEqual({ ...note, bytes, small: true });
        }
        // The seed has done something.
        expect(models.reduce((sum, { logStart }) => sum + logStart, 0)).toBeGreaterThan(0);
      } finally {
        await log.close();
      }
    },
  );
});
