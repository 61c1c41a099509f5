import { join } from "node:path";
import { GROUP_FILE, groupDirectory, groupLockPath } from "./group-directory.ts";
import { type FoundOffset, type GroupOffset, offsetFile, readOffset } from "./group-slot.ts";
import { LockedGroup } from "./locked-group.ts";
import { listNamedDirectories, sweepTemporary } from "./named-directory.ts";
import { readGroup } from "./read-group.ts";

/** What is older than this was left behind by a crash. */
const HALF_MADE_MS = 60_000;

/**
 * What consumer groups have stored in one topic. Holds nothing: every answer is read from disk, so
 * that each process sees what any other has stored.
 */
export class GroupOffsets {
  readonly #directory: string;

  /** @param directory The topic's `groups`; it need not exist. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Removes what a crash left half made or half removed; what others are making now stays. */
  sweep(): void {
    sweepTemporary(this.#directory, HALF_MADE_MS);
  }

  /** @throws {CorruptLogError} When a group's name cannot be read. */
  groupIds(): string[] {
    const found = listNamedDirectories(this.#directory, GROUP_FILE);
    return found.map(({ json }) => json.name).sort();
  }

  /**
   * The stored offset, or undefined when the group has none here.
   *
   * @throws {CorruptLogError} When both of its slots are damaged.
   */
  get(groupId: string, partition: number): GroupOffset | undefined {
    const path = join(groupDirectory(this.#directory, groupId), offsetFile(partition));
    return readOffset(path)?.value;
  }

  /** All that the group has stored, by partition. @throws {CorruptLogError} As `get()`. */
  all(groupId: string): ReadonlyMap<number, FoundOffset> {
    return readGroup(groupDirectory(this.#directory, groupId));
  }

  /** The lock of whoever runs the group. */
  lockPath(groupId: string): string {
    return groupLockPath(this.#directory, groupId);
  }

  /**
   * Takes the group in this topic, for this process.
   *
   * @param rule Begins the message of a refusal.
   * @throws {LogError} When a living process has it, naming that.
   */
  lock(groupId: string, rule: string): LockedGroup {
    return new LockedGroup(this.#directory, groupId, rule);
  }
}
