/** A worker thread whose handlers throw, exit, crash, hang and loop, as the plan says. */
import process from "node:process";
import { workerData } from "node:worker_threads";
import type { Message } from "../../src/types.ts";
import { serve } from "../../src/worker/serve.ts";
import { ChaosBoard, type ChaosData, mischiefOf, mix } from "./chaos-plan.ts";

const data = workerData as ChaosData;
const board = new ChaosBoard(data);

const acts = {
  none: () => undefined,
  throw: () => {
    throw new Error("planned");
  },
  exit: () => {
    process.exit(7);
  },
  crash: () => {
    setTimeout(() => {
      throw new Error("planned");
    });
    return new Promise(() => {});
  },
  hang: () => new Promise(() => {}),
  spin: () => {
    for (;;) board.starts(0);
  },
};

/** Some calls end at once, some later. */
function handle({ offset }: Message, attempt: number): unknown {
  board.start(offset);
  const mischief = attempt === 1 ? mischiefOf(data, offset) : "none";
  const result = acts[mischief]();
  if (result !== undefined) return result;
  if (mix(data.seed, offset) % 2 === 0) {
    board.end(offset);
    return undefined;
  }
  return new Promise<void>((resolve) =>
    setTimeout(() => {
      board.end(offset);
      resolve();
    }),
  );
}

async function handleAll(messages: readonly Message[], attempt: number): Promise<void> {
  for (const message of messages) await handle(message, attempt);
}

if (data.form === "eachMessage") {
  serve({ eachMessage: (message, { attempt }) => handle(message, attempt) as Promise<void> });
} else if (data.form === "eachBatch") {
  serve({ eachBatch: ({ messages, attempt }) => handleAll(messages, attempt) });
} else {
  serve({
    consumer: () => ({ consume: ({ messages, attempt }) => handleAll(messages, attempt) }),
  });
}
