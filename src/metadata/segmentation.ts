/**
 * Most UTF-8 bytes of a segmentation's version.
 *
 * With so many an envelope without a map fits into the units that the user's text leaves (`RESERVED_UNITS`), in either
 * form. A longer one can cost the user's text its place.
 */
export const MAX_VERSION_BYTES = 24;

/** The version that is written by who does not know it: it fits any other one. */
export const UNKNOWN_VERSION = "";

/** The parallel segments that a committing group is one of (S8). */
export interface Segmentation {
  /** How many segments there are. */
  readonly count: number;
  /** The user's name of the way they are made; null when it has none, {@link UNKNOWN_VERSION} when it is not known. */
  readonly version: string | null;
  /**
   * The offset is where all segments begin, stored before any of them handled a message (S7): where one of them has no
   * offset yet, it may begin there too.
   */
  readonly isStart?: true;
}

/** Whether messages are shared out in the same way, as far as it is known (S8). */
export function isSameSegmentation(one: Segmentation, other: Segmentation): boolean {
  if (one.count !== other.count) return false;
  const versions = [one.version, other.version];
  return versions.includes(UNKNOWN_VERSION) || one.version === other.version;
}
