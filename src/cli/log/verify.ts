import { type VerifyReport, verifyLog } from "../../adapters/log.ts";
import type { Command } from "../command.ts";
import { EXIT_FAILED } from "../command-error.ts";
import { type Io, signalExitCode } from "../io.ts";
import { paintFor } from "../paint.ts";
import { StatusLine } from "../status-line.ts";
import { stoppable } from "../stoppable.ts";
import { existingLogPath, LOG_OPTION } from "./log-directory.ts";
import { verifyLines, verifyProgress } from "./verify-lines.ts";

const PLAIN_EVERY_MS = 5000;

/** `headrace log verify`. */
export const verify: Command = {
  name: "log verify",
  act: "verify",
  summary: "checks every byte and says what is damaged, and what would be kept",
  usage: "--log DIR [--json]",
  positionals: 0,
  options: [LOG_OPTION, { name: "json", help: "print the report as one JSON object" }],
  notes: [
    "Reads only, takes no lock. Beside a writer it checks what may be read. Works on logs that cannot",
    "be opened. Exit code 1 when anything is damaged, also when the next open mends it without a loss.",
  ],
  async run(args, io) {
    const path = existingLogPath("verify", args, io.cwd);
    return await stoppable(io, async (signal, stoppedBy) => {
      const startedAt = performance.now();
      try {
        const report = await withProgress(path, io, signal);
        const ms = performance.now() - startedAt;
        const lines = args.flag("json")
          ? [JSON.stringify(report)]
          : verifyLines(report, ms, paintFor(io.out));
        io.out.write(`${lines.join("\n")}\n`);
        return report.ok ? 0 : EXIT_FAILED;
      } catch (error) {
        const stopped = stoppedBy();
        if (stopped !== undefined) return signalExitCode(stopped);
        throw error;
      }
    });
  },
};

async function withProgress(path: string, io: Io, signal: AbortSignal): Promise<VerifyReport> {
  const status = new StatusLine(io.err, PLAIN_EVERY_MS);
  try {
    return await verifyLog(path, {
      signal,
      onProgress: (progress) => status.update(() => verifyProgress(progress)),
    });
  } finally {
    status.clear();
  }
}
