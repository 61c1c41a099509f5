/**
 * For worker threads whose file is your own: bundlers and `bun build --compile` see only files that are named.
 *
 * ```ts
 * // orders.worker.ts
 * import { serve } from "headrace/worker";
 *
 * serve({ eachMessage: (message, context) => handle(message.json()) });
 * ```
 *
 * ```ts
 * // main.ts
 * import { Worker } from "node:worker_threads";
 *
 * const topic = { module: () => new Worker(new URL("./orders.worker.ts", import.meta.url)) };
 * ```
 *
 * @module
 */
import { Redeliver } from "../errors.ts";
import type { OneFunctionHandler } from "../options.ts";
import { findThreadPort } from "../runtime/threads.ts";
import type { Deserializer } from "../types.ts";
import { checkHandler } from "./load-module.ts";
import { servedHandler } from "./served-handler.ts";
import { runThread } from "./thread/run-thread.ts";

export { Redeliver };

/** Exactly one handler, and how payloads are made. */
export type ServedHandler<T = unknown> = OneFunctionHandler<T> & {
  deserializer?: Deserializer<T>;
};

/**
 * Makes this thread run the calls of the consumer that has started it; once per thread.
 *
 * In a module that the `module` option names by its URL it has the effect of exporting the same handler.
 *
 * @throws {WorkerError} When that is not exactly one of `eachMessage`, `eachBatch` and `consumer`.
 */
export function serve<T>(handler: ServedHandler<T>): void {
  const loaded = checkHandler("what serve() was given", handler);
  servedHandler.put(handler);
  if (servedHandler.hosted) return;
  servedHandler.hosted = true;
  findThreadPort()
    .then((port) => {
      // Not in a thread: whoever imports this module takes the handler.
      if (port !== null) runThread(port, loaded);
    })
    .catch((error) => {
      queueMicrotask(() => {
        throw error;
      });
    });
}
