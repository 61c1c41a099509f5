/**
 * A thread of `TwoPlainLoops`. Told to run, it says when it could begin, begins when it is told to, and answers what the
 * run came to.
 */
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { type PlainCell, plainKafkajs, plainLog } from "./cpu-ways.ts";

/** What the thread is given. */
export interface PlainThreadData {
  readonly cell: PlainCell;
  /** A broker's address, or the directory of a log. */
  readonly bootstrap?: string;
  readonly directory?: string;
}

const { cell, bootstrap, directory } = workerData as PlainThreadData;
const port = parentPort!;

for (;;) {
  await once(port, "message");
  let waited: Promise<unknown> | undefined;
  const mayBegin = async (): Promise<void> => {
    if (waited === undefined) {
      waited = once(port, "message");
      port.postMessage("ready");
    }
    await waited;
  };
  const result =
    bootstrap === undefined
      ? await plainLog(cell, directory!, mayBegin)
      : await plainKafkajs(cell, bootstrap, mayBegin);
  port.postMessage(result);
}
