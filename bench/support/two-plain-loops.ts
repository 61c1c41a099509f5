import { once } from "node:events";
import process from "node:process";
import { Worker } from "node:worker_threads";
import type { CpuResult } from "./cpu-ways.ts";
import type { PlainThreadData } from "./plain-thread.ts";

/**
 * The plain loop in two threads at once, each over all messages on its own: what the machine gives to two threads that
 * share nothing.
 */
export class TwoPlainLoops {
  readonly #threads: readonly Worker[];

  constructor(workerData: PlainThreadData) {
    const url = new URL("./plain-thread.ts", import.meta.url);
    this.#threads = [0, 1].map(() => new Worker(url, { workerData }));
  }

  /** @returns Both figures as of `count` messages, though the loops together handle twice as many. */
  async run(): Promise<CpuResult> {
    await this.#all("run");
    const before = process.cpuUsage();
    const results = (await this.#all("begin")) as CpuResult[];
    const { user, system } = process.cpuUsage(before);
    return {
      seconds: Math.max(...results.map(({ seconds }) => seconds)) / 2,
      cpuSeconds: (user + system) / 1e6 / 2,
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  /** Tells every thread, and waits for an answer of each. */
  async #all(message: string): Promise<readonly unknown[]> {
    const answers = Promise.all(this.#threads.map((thread) => once(thread, "message")));
    for (const thread of this.#threads) thread.postMessage(message);
    return (await answers).map(([answer]) => answer);
  }
}
