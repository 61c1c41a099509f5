/** UTF-16 units of the metadata that the user's text leaves to the envelope. */
export const RESERVED_UNITS = 64;

/**
 * Refuses text that would not fit into the commit metadata whole (O7).
 *
 * @param maxLength UTF-16 units of metadata that the broker accepts (`maxMetadataLength`).
 * @throws {RangeError} When the text has more than `maxLength - 64` UTF-16 units.
 */
export function checkUserText(text: string, maxLength: number): void {
  const most = Math.max(0, maxLength - RESERVED_UNITS);
  if (text.length <= most) return;
  throw new RangeError(
    `Cannot keep offset metadata as it may have at most ${most} UTF-16 units: received ${text.length}`,
  );
}
