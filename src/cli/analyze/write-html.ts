import { statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { DistributionReport } from "../../tools/index.ts";
import { CommandError, usageError } from "../command-error.ts";
import { htmlPage } from "./html-page.ts";
import type { ReportTitle } from "./report-title.ts";

/** Refuses a file that could not be written, before all is read for it. @throws {CommandError} */
export function checkHtmlPath(path: string, cwd: string): void {
  const full = resolve(cwd, path);
  const folder = statSync(dirname(full), { throwIfNoEntry: false });
  const there = statSync(full, { throwIfNoEntry: false });
  if (folder?.isDirectory() && !there?.isDirectory()) return;
  throw usageError(`Cannot analyze as --html must be a file in a directory: received "${path}"`);
}

/** Writes a report as a page. @throws {CommandError} When the file cannot be written. */
export function writeHtml(
  path: string,
  cwd: string,
  report: DistributionReport,
  title: ReportTitle,
): void {
  try {
    writeFileSync(resolve(cwd, path), htmlPage(report, title));
  } catch (error) {
    const message = `Cannot analyze as --html must be writable: received "${path}"`;
    throw new CommandError(message, undefined, error);
  }
}
