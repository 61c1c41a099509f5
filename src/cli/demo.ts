import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { log, openLog } from "../adapters/log.ts";
import type { Command } from "./command.ts";
import { EXIT_FAILED } from "./command-error.ts";
import { ORDERS_TOPIC } from "./demo/consume-orders.ts";
import { type DemoResult, judge } from "./demo/demo-result.ts";
import { DemoView } from "./demo/demo-view.ts";
import { drawOrders, type Orders } from "./demo/orders.ts";
import { hashWay, type ParallelJob, parallelWay } from "./demo/parallel-ways.ts";
import { restartWay } from "./demo/restart-way.ts";
import { serialWay } from "./demo/serial-way.ts";
import type { WayResult } from "./demo/way.ts";
import { writeOrders } from "./demo/write-orders.ts";
import { count } from "./format.ts";
import { signalExitCode } from "./io.ts";
import { OptionValues } from "./option-values.ts";
import { stoppable } from "./stoppable.ts";

const DEFAULT_MESSAGES = 10_000;
const DEFAULT_KEYS = 500;
const MAX_MESSAGES = 1_000_000;
/** Virtual partitions and handler calls at once. */
const LANES = 50;
/** Threads of the handlers that compute. */
const THREADS = 2;
/** Orders of the serial loop: a second or two are enough to know its rate. */
const SERIAL_SAMPLE = 300;

/** `headrace demo`. */
export const demo: Command = {
  name: "demo",
  summary: "shows serial and parallel processing of one partition, worker threads, and a kill -9",
  usage: "[--messages N] [--keys N] [--json]",
  positionals: 0,
  options: [
    { name: "messages", value: "N", help: `orders to handle (${count(DEFAULT_MESSAGES)})` },
    { name: "keys", value: "N", help: `customers who place them (${DEFAULT_KEYS})` },
    { name: "json", help: "print the measurements as one JSON object and nothing else" },
  ],
  notes: [
    "Everything happens in a temporary directory, which is removed at the end.",
    "Fails when an order is missing, out of turn, or handled twice without a kill.",
  ],
  async run(args, io) {
    const options = new OptionValues("demo", args);
    const messages = options.integer("messages", 1, MAX_MESSAGES) ?? DEFAULT_MESSAGES;
    const keys = options.integer("keys", 1, MAX_MESSAGES) ?? DEFAULT_KEYS;
    const json = args.flag("json");
    return await stoppable(io, async (signal, stoppedBy) => {
      const view = new DemoView(json ? { ...io.out, write: () => {} } : io.out, json);
      try {
        const result = await measure(messages, keys, view, signal);
        if (json) io.out.write(`${JSON.stringify(result, roundNumbers)}\n`);
        else view.report(result);
        return result.ok ? 0 : EXIT_FAILED;
      } catch (error) {
        const stopped = stoppedBy();
        if (stopped !== undefined) return signalExitCode(stopped);
        throw error;
      } finally {
        view.clear();
      }
    });
  },
};

type Acts = Omit<
  DemoResult,
  "messages" | "keys" | "busiestKey" | "lanes" | "speedUp" | "failures" | "ok"
>;

/** Three digits are more than was measured. */
function roundNumbers(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
}

async function measure(
  messages: number,
  keys: number,
  view: DemoView,
  signal: AbortSignal,
): Promise<DemoResult> {
  const workDirectory = mkdtempSync(join(tmpdir(), "headrace-demo-"));
  try {
    const orders = drawOrders(messages, keys);
    const logDirectory = join(workDirectory, "log");
    view.title(messages, keys);
    const here = await inThisProcess(orders, logDirectory, view, signal);
    const restarted = await view.restarted((onProgress, onKilled) => {
      const job = { orders, lanes: LANES, logDirectory, workDirectory, signal };
      return restartWay({ ...job, onProgress, onKilled });
    });
    return judge({ messages, keys, busiestKey: orders.busiest, lanes: LANES, ...here, restarted });
  } finally {
    rmSync(workDirectory, { recursive: true, force: true });
  }
}

/** The part that has the log open here; the restart opens it in children. */
async function inThisProcess(
  orders: Orders,
  logDirectory: string,
  view: DemoView,
  signal: AbortSignal,
): Promise<Omit<Acts, "restarted">> {
  const embedded = await openLog(logDirectory, { topics: { [ORDERS_TOPIC]: { partitions: 1 } } });
  try {
    const writeMs = await view.written(orders.count, (onProgress) =>
      writeOrders(embedded, orders, onProgress),
    );
    const sample = Math.min(SERIAL_SAMPLE, orders.count);
    const serial = await view.serial((onProgress) => serialWay(orders, sample, signal, onProgress));
    const parallel = <R extends WayResult>(
      name: string,
      way: (job: ParallelJob) => Promise<R>,
    ): Promise<R> =>
      view.parallel(name, (onProgress) => {
        const source = log(embedded);
        return way({ orders, lanes: LANES, source, logger: view.logger, signal, onProgress });
      });
    const consistent = await parallel("consistent", (job) => parallelWay("consistent", job));
    const balanced = await parallel("balanced", (job) => parallelWay("balanced", job));
    const hashInline = await parallel("hash inline", (job) => hashWay(0, job));
    const hashThreads = await parallel("hash threads", (job) => hashWay(THREADS, job));
    return { writeMs, serial, consistent, balanced, hashInline, hashThreads };
  } finally {
    await embedded.close();
  }
}
