type Inflate = (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;

interface Host {
  readonly process?: {
    getBuiltinModule?(name: string): { zstdDecompressSync?: Inflate } | undefined;
  };
}

/**
 * zstd of this runtime: Node 22.15 and newer, Bun, Deno. null elsewhere.
 *
 * Asked for by name while running, since an import that is missing would keep the whole package from loading.
 *
 * @returns A function that inflates zstd frames and throws when they are none, or come to more than `maxBytes`.
 */
export function findZstd(): ((bytes: Uint8Array, maxBytes: number) => Uint8Array) | null {
  const zlib = (globalThis as Host).process?.getBuiltinModule?.("node:zlib");
  const inflate = zlib?.zstdDecompressSync;
  if (inflate === undefined) return null;
  return (bytes, maxBytes) => inflate(bytes, { maxOutputLength: maxBytes });
}
