import type { LogOptions } from "../../src/log/log-options.ts";
import { Child } from "./child.ts";
import type { WriterCall } from "./writer-child.ts";

/** A process that writes a log, for tests that read it from outside. */
export class WriterProcess {
  readonly child: Child;
  #last: Promise<unknown>;

  constructor(directory: string, options: LogOptions = {}) {
    this.child = new Child("writer-child.ts", [directory, JSON.stringify(options)]);
    this.#last = this.#answer();
  }

  /** Settles when the log is open there. */
  async ready(): Promise<void> {
    await this.#last;
  }

  /** One call; they are answered in order. */
  do(call: WriterCall): Promise<unknown> {
    this.child.say(JSON.stringify(call));
    const answer = this.#last.then(() => this.#answer());
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #answer(): Promise<unknown> {
    const line = await this.child.line();
    if (line === undefined) throw new Error(`The writer has ended: ${this.child.errors}`);
    const { result, error } = JSON.parse(line) as { result?: unknown; error?: string };
    if (error !== undefined) throw new Error(error);
    return result;
  }
}
