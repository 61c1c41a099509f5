import { createReadStream, statSync } from "node:fs";
import { resolve } from "node:path";
import { usageError } from "../command-error.ts";
import type { Io } from "../io.ts";
import type { AnalysisInput } from "./analysis-input.ts";
import { keyParts } from "./key-parts.ts";

/** Bytes of a file that are read at a time. */
const CHUNK_BYTES: number = 1 << 18;

/** A file of keys, one per line, or standard input ("-"). An empty line is a message without a key. */
export function keyLines(path: string, io: Io): AnalysisInput {
  const file = path === "-" ? null : fileOf(path, io.cwd);
  let read = 0;
  async function* counted(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of chunks) {
      read += chunk.length;
      yield chunk;
    }
  }
  return {
    name: file === null ? "standard input" : path,
    partitions: null,
    async *parts(signal) {
      const chunks = file === null ? io.input.chunks() : chunksOf(file.path);
      for await (const keys of keyParts(counted(chunks))) {
        if (signal.aborted) return;
        yield keys;
      }
    },
    progress: () => ({ share: file === null || file.bytes === 0 ? null : read / file.bytes }),
    close: async () => {},
  };
}

function chunksOf(path: string): AsyncIterable<Uint8Array> {
  return createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Uint8Array>;
}

function fileOf(path: string, cwd: string): { path: string; bytes: number } {
  const full = resolve(cwd, path);
  const found = statSync(full, { throwIfNoEntry: false });
  if (found === undefined || found.isDirectory()) {
    throw usageError(`Cannot analyze as keys must be in a file or in "-": received "${path}"`);
  }
  return { path: full, bytes: found.isFile() ? found.size : 0 };
}
