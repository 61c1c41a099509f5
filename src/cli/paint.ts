import type { Screen } from "./io.ts";

/** Colours text, or leaves it alone where nobody sees colours. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/**
 * Six ANSI codes, by hand: a colour package would be larger than its use here, and `util.styleText` needs Node 20.12.
 */
export function paintFor(screen: Pick<Screen, "colour">): Paint {
  const style =
    (open: number, close: number) =>
    (text: string): string =>
      screen.colour ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    red: style(31, 39),
    green: style(32, 39),
    yellow: style(33, 39),
    cyan: style(36, 39),
  };
}

/** The text without colours. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  return text.replace(/\u001b\[[0-9;?]*[a-zA-Z]/g, "");
}

/** Characters that the text takes on the screen. */
export function visibleLength(text: string): number {
  return plain(text).length;
}
