/** What a process of `headrace run --processes` tells the command that started it. */
import type { RunFigures } from "./run-figures.ts";
import type { RunResult } from "./run-report.ts";

/**
 * `loaded`: options, module and topic are right, as far as can be told before it joins. `started`: it has joined.
 * `result`: it has drained and committed, and ends. `final`: it ends with an error that would come again.
 */
export type MemberReport =
  | { readonly kind: "loaded" | "started" | "final" }
  | { readonly kind: "figures"; readonly figures: RunFigures }
  | { readonly kind: "result"; readonly result: RunResult };

/**
 * Reports travel on stderr, among the lines of handlers, behind the ASCII record separator: a pipe that every runtime
 * has.
 */
const MARK = "\u001e";

/** A report as a line of stderr. */
export function reportLine(report: MemberReport): string {
  return `${MARK}${JSON.stringify(report)}\n`;
}

/**
 * Parts a line into what others have written and the report behind it.
 *
 * @param line Without its end.
 */
export function readLine(line: string): { text: string; report: MemberReport | null } {
  const at = line.indexOf(MARK);
  if (at < 0) return { text: line, report: null };
  try {
    const report = JSON.parse(line.slice(at + 1)) as MemberReport;
    return { text: line.slice(0, at), report };
  } catch {
    // A handler has written such a character.
    return { text: line, report: null };
  }
}
