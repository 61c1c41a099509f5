import { Buffer } from "node:buffer";
import { writeSync } from "node:fs";

const STDOUT = 1;

/**
 * Writes a line to stdout, past any buffer of the runtime: what was said before a kill arrives.
 * Whoever uses it does not touch `process.stdout`.
 */
export function say(line: string): void {
  const bytes = Buffer.from(`${line}\n`);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(STDOUT, bytes, done);
    } catch (error) {
      // The reader of the pipe is behind, and the runtime does not let writes wait.
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
    }
  }
}
