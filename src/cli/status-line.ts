import type { Screen } from "./io.ts";
import { plain, visibleLength } from "./paint.ts";

const REDRAW_MS = 100;
const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const CLEAR_LINE = "\r\u001b[2K";

/**
 * The last line of the screen: redrawn in place on a terminal, a plain line now and then elsewhere.
 *
 * Whole lines go above it with `print()`. Nothing is drawn by a timer: who has news calls `update()`.
 */
export class StatusLine {
  readonly #screen: Screen;
  readonly #plainEveryMs: number;
  readonly #now: () => number;
  #drawn = "";
  #drawnAt: number;

  /**
   * @param plainEveryMs Milliseconds between plain lines where the screen is no terminal.
   * @param now Monotonic milliseconds; tests pass their own.
   */
  constructor(screen: Screen, plainEveryMs: number, now: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#plainEveryMs = plainEveryMs;
    this.#now = now;
    this.#drawnAt = now();
  }

  /** Shows the newest text, if the last one has stood long enough. */
  update(text: () => string): void {
    const now = this.#now();
    const every = this.#screen.isTerminal ? REDRAW_MS : this.#plainEveryMs;
    if (now - this.#drawnAt < every) return;
    this.#drawnAt = now;
    if (!this.#screen.isTerminal) {
      this.#screen.write(`${text()}\n`);
      return;
    }
    const line = this.#fit(text());
    if (line === this.#drawn) return;
    const hide = this.#drawn === "" ? HIDE_CURSOR : "";
    // One write: the line is never seen half empty.
    this.#screen.write(`${hide}\r${line}\u001b[K`);
    this.#drawn = line;
  }

  /** Writes a whole line; what was shown moves out of its way and comes back with the next update. */
  print(line: string): void {
    this.clear();
    this.#screen.write(`${line}\n`);
  }

  /** Removes what is shown. */
  clear(): void {
    if (this.#drawn === "") return;
    this.#screen.write(`${CLEAR_LINE}${SHOW_CURSOR}`);
    this.#drawn = "";
  }

  /** Makes this the last word of the line and begins a new one. */
  settle(line: string): void {
    this.print(line);
    this.#drawnAt = this.#now();
  }

  #fit(text: string): string {
    // Room for the "^C" that terminals echo, so that it never wraps.
    const room = Math.max(10, this.#screen.columns - 3);
    return visibleLength(text) <= room ? text : plain(text).slice(0, room);
  }
}
