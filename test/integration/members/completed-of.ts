import { decodeMetadata } from "../../../src/metadata/decode-metadata.ts";

/**
 * Reads the completed map of a stored commit: the one place of the crash tests that knows the metadata's form.
 *
 * @param metadata As the broker stores it.
 * @param offset The committed offset it belongs to.
 * @param logEnd End of the log; the map says nothing at or above it.
 * @returns Whether an offset at or above the committed one is done.
 */
export function completedOf(
  metadata: string,
  offset: number,
  logEnd: number,
): (offset: number) => boolean {
  const { completed } = decodeMetadata(metadata, { offset, logEnd, topicId: new Uint8Array(0) });
  return (one) => completed.has(one);
}
