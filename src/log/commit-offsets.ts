import { MAX_METADATA_LENGTH } from "./group-slot.ts";
import type { ReadableTopic } from "./readable.ts";

/** An offset to be stored. */
export interface OffsetToCommit {
  readonly partition: number;
  /** The next one to read. */
  readonly offset: number;
  readonly metadata?: string;
}

/**
 * Stores offsets of a group that has no member in any process. All are checked before any is stored.
 *
 * @throws {RangeError} For an offset or metadata that breaks a limit.
 * @throws {LogError} When the group has a member, naming the process.
 */
export function commitOffsets(
  { groups }: ReadableTopic,
  groupId: string,
  offsets: readonly OffsetToCommit[],
): void {
  for (const { offset, metadata = "" } of offsets) {
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new RangeError(`Cannot commit as offsets are integers >= 0: received ${offset}`);
    }
    if (metadata.length > MAX_METADATA_LENGTH) {
      throw new RangeError(
        `Cannot commit as metadata must not exceed ${MAX_METADATA_LENGTH} units: ` +
          `received ${metadata.length}`,
      );
    }
  }
  const group = groups.lock(groupId, `Cannot commit as group ${groupId} must have no member`);
  try {
    for (const { partition, offset, metadata = "" } of offsets) {
      const generation = group.get(partition)?.generation ?? 0;
      group.set(partition, { offset, metadata, generation });
    }
  } finally {
    group.release();
  }
}
