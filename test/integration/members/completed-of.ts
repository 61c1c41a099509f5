/**
 * Whether consumers store completed offsets above the committed one in the commit metadata (O5).
 *
 * Set it together with the body of `completedOf()`: the crash tests then demand that nothing is
 * handled again that a stored commit says is done, and no repeat at all after an orderly close.
 */
export const MAP_IS_STORED: boolean = false;

/**
 * Reads the completed map of a stored commit.
 *
 * The one place of the crash tests that knows the metadata's form. As long as nothing is stored
 * there, only offsets below the committed one are done, and those the caller knows.
 *
 * @param _metadata As the broker stores it.
 * @param _offset The committed offset it belongs to.
 * @param _logEnd End of the log; the map says nothing at or above it.
 * @returns Whether an offset at or above the committed one is done.
 */
export function completedOf(
  _metadata: string,
  _offset: number,
  _logEnd: number,
): (offset: number) => boolean {
  return () => false;
}
