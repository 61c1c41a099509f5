/** Compression: kafkajs has gzip; snappy, lz4 and zstd are added to it here. */
import type { Buffer } from "node:buffer";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { SourceError } from "../../errors.ts";
import type { Compression } from "../../source/source.ts";
import { compressSnappy, inflateSnappy } from "./snappy-frames.ts";

/** As in the attributes of a record batch, and the keys of kafkajs's registry. */
const TYPES: Readonly<Record<Compression, number>> = {
  none: 0,
  gzip: 1,
  snappy: 2,
  lz4: 3,
  zstd: 4,
};

/** The number of a codec. */
export function compressionType(compression: Compression): number {
  return TYPES[compression];
}

/** What has to be there for a codec, beyond kafkajs. */
type Added = "snappy" | "lz4" | "zstd";

/** Bytes in, bytes out. */
interface Functions {
  readonly compress: (bytes: Buffer) => Promise<Buffer> | Buffer;
  readonly inflate: (bytes: Buffer) => Promise<Buffer> | Buffer;
}

/** A codec as kafkajs takes it. */
export interface ClientCodec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
}

/** kafkajs's registry, one for all clients of a copy of kafkajs. */
export type CodecRegistry = Record<number, () => unknown>;

/** @platformatic/wasm-utils: snappy blocks and lz4 frames in WebAssembly. An optional peer. */
interface WasmUtils {
  lz4Compress(bytes: Buffer): Buffer;
  lz4Decompress(bytes: Buffer): Buffer;
  snappyCompress(bytes: Buffer): Buffer;
  snappyDecompress(bytes: Buffer): Buffer;
}

/** kafkajs gives up at once, and does not restart a consumer, for an error of this name. */
const GIVE_UP = "KafkaJSNotImplemented";

function missing(codec: Added, what: string, cause?: unknown): SourceError {
  const received = cause instanceof Error ? cause.message : "a runtime without it";
  const rule = `Cannot use ${codec} as ${what}: received ${received}`;
  return Object.assign(new SourceError(rule, { cause }), { name: GIVE_UP });
}

async function loadWasm(codec: Added): Promise<WasmUtils> {
  try {
    const name: unknown = await import("@platformatic/wasm-utils");
    return name as WasmUtils;
  } catch (error) {
    const what =
      "@platformatic/wasm-utils must be installed (npm install @platformatic/wasm-utils)";
    throw missing(codec, what, error);
  }
}

const LOAD: Readonly<Record<Added, () => Promise<Functions>>> = {
  snappy: async () => {
    const { snappyCompress, snappyDecompress } = await loadWasm("snappy");
    return {
      compress: (bytes) => compressSnappy(bytes, snappyCompress),
      inflate: (bytes) => inflateSnappy(bytes, snappyDecompress),
    };
  },
  lz4: async () => {
    const { lz4Compress, lz4Decompress } = await loadWasm("lz4");
    return { compress: lz4Compress, inflate: lz4Decompress };
  },
  zstd: async () => {
    // Younger than the oldest Node that is supported.
    const { zstdCompress, zstdDecompress } = zlib as Partial<typeof zlib>;
    if (zstdCompress === undefined || zstdDecompress === undefined) {
      throw missing("zstd", "node:zlib must have it (Node 22.15 and newer, Bun, Deno)");
    }
    const [compress, inflate] = [promisify(zstdCompress), promisify(zstdDecompress)];
    return { compress: (bytes) => compress(bytes), inflate: (bytes) => inflate(bytes) };
  },
};

const loaded = new Map<Added, Promise<Functions>>();

function load(codec: Added): Promise<Functions> {
  let functions = loaded.get(codec);
  if (functions === undefined) {
    functions = LOAD[codec]();
    loaded.set(codec, functions);
    // It may be installed by the time of the next try.
    functions.catch(() => loaded.delete(codec));
  }
  return functions;
}

/** A codec of this library's, which looks for what it needs when it is first used. */
export function codecOf(codec: Added): ClientCodec {
  return {
    compress: async ({ buffer }) => (await load(codec)).compress(buffer),
    decompress: async (bytes) => {
      const { inflate } = await load(codec);
      try {
        return await inflate(bytes);
      } catch (error) {
        const said = error instanceof Error ? error.message : String(error);
        const rule = `Cannot read a batch as its ${codec} data must be whole: received ${said}`;
        throw Object.assign(new SourceError(rule, { cause: error }), { name: GIVE_UP });
      }
    },
  };
}

const ADDED: readonly Added[] = ["snappy", "lz4", "zstd"];

/** Adds the codecs that kafkajs lacks and the user has not registered. */
export function registerCodecs(registry: CodecRegistry): void {
  for (const name of ADDED) {
    const type = TYPES[name];
    if (isThere(registry[type])) continue;
    const codec = codecOf(name);
    registry[type] = () => codec;
  }
}

function isThere(factory: (() => unknown) | undefined): boolean {
  try {
    return factory?.() !== undefined;
  } catch {
    // kafkajs's own entry says by throwing that it has none.
    return false;
  }
}

/**
 * Makes sure that a codec of this library's can be used.
 *
 * @throws {SourceError} Saying what must be installed.
 */
export async function checkCodec(compression: Compression): Promise<void> {
  const added = ADDED.find((name) => name === compression);
  if (added !== undefined) await load(added);
}
