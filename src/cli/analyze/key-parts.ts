import { CommandError } from "../command-error.ts";

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** Longest line that is taken. */
const MAX_KEY_BYTES: number = 64 << 20;

/**
 * The keys of a text with one per line, those of a chunk together; null for an empty line. A last line without a
 * newline counts, and a carriage return before a newline is none of the key's.
 *
 * Keys are views of their chunk, good until the next part is asked for: streams may use their chunks again.
 *
 * @throws {CommandError} For a line above 64 MiB.
 */
export async function* keyParts(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly (Uint8Array | null)[], void, undefined> {
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  for await (const chunk of chunks) {
    const keys: (Uint8Array | null)[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      if (begunBytes === 0) keys.push(keyOf(chunk, start, end));
      else {
        const line = joined([...begun, chunk.subarray(start, end)]);
        keys.push(keyOf(line, 0, line.length));
        begun = [];
        begunBytes = 0;
      }
      start = end + 1;
    }
    if (start < chunk.length) {
      // Not slice(): that of a Buffer is no copy.
      begun.push(new Uint8Array(chunk.subarray(start)));
      begunBytes += chunk.length - start;
    }
    if (begunBytes > MAX_KEY_BYTES) {
      const rule = `a line must not exceed ${MAX_KEY_BYTES} bytes`;
      throw new CommandError(`Cannot analyze as ${rule}: received ${begunBytes}`);
    }
    if (keys.length > 0) yield keys;
  }
  const line = joined(begun);
  if (line.length > 0) yield [keyOf(line, 0, line.length)];
}

/** Files of other systems end their lines with \r\n. */
function keyOf(bytes: Uint8Array, start: number, lineEnd: number): Uint8Array | null {
  const end = lineEnd > start && bytes[lineEnd - 1] === CARRIAGE_RETURN ? lineEnd - 1 : lineEnd;
  return end === start ? null : bytes.subarray(start, end);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
