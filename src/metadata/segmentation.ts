/**
 * Most UTF-8 bytes of a segmentation's version.
 *
 * With so many an envelope without a map fits into the units that the user's text leaves (`RESERVED_UNITS`), in either
 * form. A longer one can cost the user's text its place.
 */
export const MAX_VERSION_BYTES = 24;

/** The parallel segments that a committing group is one of (S8). */
export interface Segmentation {
  /** How many segments there are. */
  readonly count: number;
  /** The user's name of the way they are made; null when it has none. */
  readonly version: string | null;
}
