import { Buffer } from "node:buffer";
import { CommandError } from "../command-error.ts";

const NEWLINE = 0x0a;
/** Longest line that is taken. */
const MAX_LINE_BYTES: number = 64 << 20;

/**
 * Splits chunks into lines, without their newlines. What arrives together comes together, so that it
 * can be written together. A last line without a newline counts.
 *
 * @throws {CommandError} For a line above 64 MiB.
 */
export async function* inputLines(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly Buffer[], void, undefined> {
  let parts: Buffer[] = [];
  let kept = 0;
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      lines.push(Buffer.concat([...parts, bytes.subarray(start, end)]));
      parts = [];
      kept = 0;
      start = end + 1;
    }
    if (start < bytes.length) {
      // A copy: streams may use their chunks again.
      parts.push(Buffer.from(bytes.subarray(start)));
      kept += bytes.length - start;
    }
    if (kept > MAX_LINE_BYTES) {
      throw new CommandError(
        `Cannot append as a line must not exceed ${MAX_LINE_BYTES} bytes: received ${kept}`,
      );
    }
    if (lines.length > 0) yield lines;
  }
  if (kept > 0) yield [Buffer.concat(parts)];
}
