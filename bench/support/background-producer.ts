/** The near end of a producer process. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ProducerPlan } from "./steady-producer.ts";

const FILE = fileURLToPath(new URL("./steady-producer.ts", import.meta.url));

/** A producer process that runs until everything is sent, or until it is stopped. */
export class BackgroundProducer {
  /** Records that the broker has acknowledged. */
  sent = 0;
  readonly #child: ChildProcess;
  /** Everything is sent; rejects when the process failed. */
  readonly finished: Promise<void>;

  constructor(plan: ProducerPlan) {
    this.#child = fork(FILE, [JSON.stringify(plan)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child.on("message", (message) => {
      this.sent = (message as { sent: number }).sent;
    });
    this.finished = new Promise((resolve, reject) => {
      this.#child.once("exit", (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`Cannot go on as the producer must not fail: ${code ?? signal}`));
      });
    });
    // Whoever waits for it sees the rejection.
    this.finished.catch(() => {});
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}
