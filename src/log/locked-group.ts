import { Buffer } from "node:buffer";
import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";
import { join } from "node:path";
import { LogError } from "../errors.ts";
import type { Clock, TimerHandle } from "../types.ts";
import { replaceFile, writeFully } from "./files.ts";
import { ensureGroupDirectory, groupLockPath } from "./group-directory.ts";
import { encodeOffset, type GroupOffset, offsetFile } from "./group-slot.ts";
import { LockFile, sweepContenders } from "./lock-file.ts";
import { inBackground, logClock } from "./log-clock.ts";
import { removeNamedDirectory } from "./named-directory.ts";
import { readGroup } from "./read-group.ts";

/** Time until what was stored is synced. */
const SYNC_INTERVAL_MS = 1000;
/** Time between signs of life in the lock. */
const HEARTBEAT_MS = 5000;

interface Stored {
  readonly sequence: number;
  readonly value: GroupOffset;
}

/**
 * One group in one topic, held by this process: while it is, no other process stores offsets of it.
 *
 * A stored offset is in the system's hands when `set()` returns: it outlives the process. It is on
 * disk within a second, and at `release()`.
 */
export class LockedGroup {
  readonly #directory: string;
  readonly #lock: LockFile;
  readonly #clock: Clock;
  readonly #stored: Map<number, Stored>;
  readonly #dirty = new Set<number>();
  #heartbeat: TimerHandle;
  #syncTimer: TimerHandle;
  #syncing: Promise<void> = Promise.resolve();
  #syncFailure: unknown;
  #released = false;

  /**
   * @param groups The topic's `groups`.
   * @param rule Begins the message of a refusal.
   * @throws {LogError} When a living process has the group, naming that.
   * @throws {CorruptLogError} When both slots of a stored offset are damaged.
   */
  constructor(groups: string, groupId: string, rule: string, clock: Clock = logClock) {
    this.#clock = clock;
    this.#directory = ensureGroupDirectory(groups, groupId);
    const path = groupLockPath(groups, groupId);
    this.#lock = new LockFile(path, rule);
    try {
      sweepContenders(path);
      this.#stored = readGroup(this.#directory);
      this.#beat();
    } catch (error) {
      this.#lock.release();
      throw error;
    }
  }

  /**
   * No other process has taken this one for dead, or removed the group. Reads the lock, so it is
   * asked once per commit, not once per offset.
   */
  get held(): boolean {
    return !this.#released && this.#lock.held;
  }

  /** Partitions with a stored offset. */
  get partitions(): readonly number[] {
    return [...this.#stored.keys()];
  }

  get(partition: number): GroupOffset | undefined {
    return this.#stored.get(partition)?.value;
  }

  /**
   * Stores an offset: one positional write into the older slot. The caller has checked `held` and
   * the metadata's length.
   *
   * @throws {LogError} When the last sync failed: what that one was about must be stored again.
   */
  set(partition: number, value: GroupOffset): void {
    this.#tellSyncFailure();
    const before = this.#stored.get(partition);
    const sequence = (before?.sequence ?? 0) + 1;
    const { bytes, at } = encodeOffset(sequence, value);
    if (before === undefined) {
      // The first one is whole and durable at once: it keeps a group that starts at the end from
      // skipping (O10), and no reader finds a file without a good slot.
      const file = Buffer.alloc(at + bytes.length);
      file.set(bytes, at);
      replaceFile(join(this.#directory, offsetFile(partition)), file);
    } else {
      this.#withFile(partition, (fd) => writeFully(fd, bytes, at));
      this.#dirty.add(partition);
      this.#syncSoon();
    }
    this.#stored.set(partition, { sequence, value });
  }

  /** Makes what is stored durable, off the event loop. Never rejects: the next `set()` tells. */
  sync(): Promise<void> {
    this.#syncing = this.#syncing.then(() => this.#syncDirty());
    return this.#syncing;
  }

  /** Removes all that the group has stored in this topic, and gives it back. */
  remove(): void {
    if (this.held) removeNamedDirectory(this.#directory);
    this.#dirty.clear();
    this.release();
  }

  /** Syncs and gives the group back. Idempotent. */
  release(): void {
    if (this.#released) return;
    const held = this.held;
    this.#released = true;
    this.#clock.clearTimer(this.#heartbeat);
    this.#clock.clearTimer(this.#syncTimer);
    try {
      if (held) for (const partition of this.#dirty) this.#withFile(partition, fdatasyncSync);
    } finally {
      this.#lock.release();
    }
  }

  #tellSyncFailure(): void {
    const failure = this.#syncFailure;
    this.#syncFailure = undefined;
    if (failure === undefined) return;
    throw new LogError(
      `Cannot store an offset as the last sync must succeed: received ${String(failure)}`,
      { cause: failure, retriable: true },
    );
  }

  #syncSoon(): void {
    if (this.#syncTimer !== undefined) return;
    const timer = this.#clock.setTimer(() => {
      this.#syncTimer = undefined;
      void this.sync();
    }, SYNC_INTERVAL_MS);
    this.#syncTimer = inBackground(timer);
  }

  async #syncDirty(): Promise<void> {
    if (this.#released) return;
    const partitions = [...this.#dirty];
    this.#dirty.clear();
    for (const partition of partitions) {
      try {
        await this.#syncFile(partition);
      } catch (error) {
        this.#syncFailure ??= error;
      }
    }
  }

  async #syncFile(partition: number): Promise<void> {
    const fd = openSync(join(this.#directory, offsetFile(partition)), "r+");
    try {
      await new Promise<void>((resolve, reject) => {
        fdatasync(fd, (error) => (error ? reject(error) : resolve()));
      });
    } finally {
      closeSync(fd);
    }
  }

  #withFile(partition: number, act: (fd: number) => void): void {
    const fd = openSync(join(this.#directory, offsetFile(partition)), "r+");
    try {
      act(fd);
    } finally {
      closeSync(fd);
    }
  }

  #beat(): void {
    this.#lock.beat(0);
    this.#heartbeat = inBackground(this.#clock.setTimer(() => this.#beat(), HEARTBEAT_MS));
  }
}
