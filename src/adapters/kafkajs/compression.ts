import type { Compression } from "../../source/source.ts";

/** As in the attributes of a record batch. */
const TYPES: Readonly<Record<Compression, number>> = {
  none: 0,
  gzip: 1,
  snappy: 2,
  lz4: 3,
  zstd: 4,
};

/** The number of a codec. */
export async function compressionType(compression: Compression): Promise<number> {
  return TYPES[compression];
}
