import type { Logger } from "../../index.ts";
import { count, duration, plural } from "../format.ts";
import type { Screen } from "../io.ts";
import { commandLogger } from "../logger.ts";
import { type Paint, paintFor } from "../paint.ts";
import { StatusLine } from "../status-line.ts";
import { doneLine, progressLine, reportLines } from "./demo-report.ts";
import type { DemoResult } from "./demo-result.ts";
import type { RestartResult } from "./restart-way.ts";
import type { WayProgress, WayResult } from "./way.ts";

const PLAIN_EVERY_MS = 1000;

type OnProgress = (progress: WayProgress) => void;

/** What the demo shows while it works. */
export class DemoView {
  readonly logger: Logger;
  readonly #status: StatusLine;
  readonly #paint: Paint;
  readonly #screen: Screen;

  constructor(screen: Screen, quiet: boolean) {
    this.#screen = screen;
    this.#paint = paintFor(screen);
    this.#status = new StatusLine(screen, PLAIN_EVERY_MS);
    this.logger = commandLogger(quiet ? () => {} : (line) => this.#status.print(line));
  }

  title(messages: number, keys: number): void {
    const what = `${plural(messages, "order")} of ${plural(keys, "customer")}, one partition`;
    this.#status.print(`${this.#paint.bold("headrace demo")}  ${what}, 1 to 10 ms each`);
    this.#status.print("");
  }

  async written(
    total: number,
    act: (onProgress: (n: number) => void) => Promise<void>,
  ): Promise<number> {
    const startedAt = performance.now();
    const at = (done: number): WayProgress => ({
      done,
      total,
      elapsedMs: performance.now() - startedAt,
    });
    await act((done) => this.#show("write", at(done)));
    const end = at(total);
    this.#settle("write", end, `embedded log, ${duration(end.elapsedMs)}`);
    return end.elapsedMs;
  }

  async serial(act: (onProgress: OnProgress) => Promise<WayResult>): Promise<WayResult> {
    const result = await act((progress) => this.#show("serial loop", progress));
    const all = duration(result.allMs);
    this.#finish("serial loop", result, result.sample ? `sample: all take ~${all}` : "");
    return result;
  }

  async parallel<R extends WayResult>(
    name: string,
    act: (onProgress: OnProgress) => Promise<R>,
  ): Promise<R> {
    const result = await act((progress) => this.#show(name, progress));
    this.#finish(name, result, `in ${duration(result.ms)}`);
    return result;
  }

  async restarted(
    act: (
      onProgress: OnProgress,
      onKilled: (progress: WayProgress, committed: number) => void,
    ) => Promise<RestartResult>,
  ): Promise<RestartResult> {
    let name = "kill -9";
    const result = await act(
      (progress) => this.#show(name, progress),
      (progress, committed) => {
        this.#settle(name, progress, `stored: ${count(committed)}`);
        name = "restart";
      },
    );
    this.#finish(name, result, `went on at ${count(result.resumedAt)}`);
    return result;
  }

  report(result: DemoResult): void {
    for (const line of reportLines(result, this.#paint, this.#screen.columns)) {
      this.#status.print(line);
    }
  }

  clear(): void {
    this.#status.clear();
  }

  #show(name: string, progress: WayProgress): void {
    this.#status.update(() => progressLine(name, progress, this.#paint));
  }

  #settle(name: string, progress: WayProgress, note: string): void {
    this.#status.settle(doneLine(name, progress, note, this.#paint));
  }

  #finish(name: string, result: WayResult, note: string): void {
    const total = result.sample ? result.messages : result.messages + result.missing;
    this.#settle(name, { done: result.messages, total, elapsedMs: result.ms }, note);
  }
}
