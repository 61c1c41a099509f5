/**
 * A lock: who writes (or runs a group), as one JSON file that only one process can make.
 *
 * A lock is made whole (written, synced) under a name of its own and hard-linked to `LOCK`, which
 * fails when there is one. To take over from a dead holder a contender first locks
 * `LOCK.<token of the dead>` the same way, looks at `LOCK` again, and only then replaces it: a
 * contender that read the same dead holder earlier finds the new one there.
 */
import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { LogError } from "../errors.ts";
import { errorCode, readIfThere, TEMPORARY, writeFully } from "./files.ts";

/** A holder on another host is dead when its heartbeat is older than this. */
const STALE_MS = 30_000;
/** The JSON is padded to this length, so that it is rewritten in place by one write. */
const LOCK_BYTES = 512;
const MAX_TRIES = 5;

/** Who holds a lock. */
export interface LockHolder {
  /** Names this holding: never used again. */
  readonly token: string;
  readonly pid: number;
  /** null where the system does not say. */
  readonly bootId: string | null;
  /**
   * Start of the process in clock ticks since boot, against reuse of its id; null where the system
   * does not say.
   */
  readonly startTicks: string | null;
  readonly host: string;
  readonly epoch: number;
  /** Milliseconds since the epoch. */
  readonly heartbeat: number;
}

/** A lock that this process holds. */
export class LockFile {
  readonly #path: string;
  /** Of our own file, so that a process that lost the lock unawares cannot write into another's. */
  readonly #fd: number;
  #holder: LockHolder;

  /**
   * @param rule Begins the message of a refusal.
   * @throws {LogError} When a living process holds the lock, naming it.
   */
  constructor(path: string, rule = "Cannot open the log as one process writes at a time") {
    this.#path = path;
    this.#holder = {
      token: randomUUID(),
      pid: process.pid,
      bootId: bootId(),
      startTicks: startTicks(process.pid),
      host: hostname(),
      epoch: 0,
      heartbeat: Date.now(),
    };
    take(path, this.#holder, rule);
    this.#fd = openSync(path, "r+");
  }

  /** The lock on disk is still ours: nobody took us for dead, nobody removed it. */
  get held(): boolean {
    return readHolder(this.#path)?.token === this.#holder.token;
  }

  /** Says that the holder lives, and with which epoch it writes. */
  beat(epoch: number): void {
    this.#holder = { ...this.#holder, epoch, heartbeat: Date.now() };
    writeFully(this.#fd, encode(this.#holder), 0);
  }

  release(): void {
    if (this.held) rmSync(this.#path);
    closeSync(this.#fd);
  }
}

/** Who holds the lock, or undefined when nobody alive does. Reads only. */
export function livingHolder(path: string): LockHolder | undefined {
  const holder = readHolder(path);
  return holder !== undefined && isAlive(holder) ? holder : undefined;
}

/**
 * Removes what contenders for earlier locks of this name left behind: nobody can win with it any
 * more. For the holder only.
 */
export function sweepContenders(path: string): void {
  const [directory, prefix] = [dirname(path), `${basename(path)}.`];
  for (const name of readdirSync(directory)) {
    if (name.startsWith(prefix)) rmSync(join(directory, name), { force: true });
  }
}

/** Makes `path` ours, or throws. */
function take(path: string, holder: LockHolder, rule: string): void {
  const own = `${path}.${holder.token}${TEMPORARY}`;
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    writeDurably(own, holder);
    try {
      linkSync(own, path);
      return;
    } catch (error) {
      // Swept by a contender that has just won: made again in the next round.
      if (errorCode(error) === "ENOENT") continue;
      if (errorCode(error) !== "EEXIST") throw error;
      if (takeOver(path, own, holder, rule)) return;
    } finally {
      rmSync(own, { force: true });
    }
  }
  throw new LogError(
    `Cannot lock the log as others keep taking ${path}: received ${MAX_TRIES} tries`,
    { retriable: true },
  );
}

/** @returns false when the lock has moved meanwhile. */
function takeOver(path: string, own: string, holder: LockHolder, rule: string): boolean {
  const dead = readHolder(path);
  if (dead === undefined) return false;
  if (isAlive(dead)) throw heldBy(path, dead, rule);
  const guard = `${path}.${dead.token}`;
  take(guard, holder, rule);
  try {
    if (readHolder(path)?.token !== dead.token) return false;
    renameSync(own, path);
    return true;
  } finally {
    rmSync(guard, { force: true });
  }
}

function heldBy(path: string, holder: LockHolder, rule: string): LogError {
  const who = holder.pid === process.pid ? "this process" : `process ${holder.pid}`;
  return new LogError(
    `${rule}: received ${path} held by ${who} (pid ${holder.pid} on ${holder.host})`,
    { retriable: true },
  );
}

function encode(holder: LockHolder): Buffer {
  return Buffer.from(JSON.stringify(holder).padEnd(LOCK_BYTES));
}

function writeDurably(path: string, holder: LockHolder): void {
  const fd = openSync(path, "w");
  try {
    writeFully(fd, encode(holder), 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * The holder, or undefined when there is none. An unreadable lock counts as one of an unknown
 * other host.
 */
function readHolder(path: string): LockHolder | undefined {
  const bytes = readIfThere(path);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(bytes.toString()) as LockHolder;
  } catch {
    const heartbeat = statSync(path).mtimeMs;
    const token = `unreadable-${Math.floor(heartbeat)}`;
    const unknown = { pid: 0, bootId: null, startTicks: null, host: "unknown", epoch: 0 };
    return { token, heartbeat, ...unknown };
  }
}

function isAlive(holder: LockHolder): boolean {
  const beating = Date.now() - holder.heartbeat < STALE_MS;
  if (holder.host !== hostname()) return beating;
  if (holder.bootId !== bootId()) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (errorCode(error) === "ESRCH") return false;
    // EPERM: another user's process. Anything else: a sandbox forbids to look, so the heartbeat
    // decides.
    if (errorCode(error) !== "EPERM" && !beating) return false;
  }
  return holder.startTicks === startTicks(holder.pid);
}

function bootId(): string | null {
  return readText("/proc/sys/kernel/random/boot_id");
}

/** Field 22 of /proc/<pid>/stat; the name before it may hold spaces and brackets. */
function startTicks(pid: number): string | null {
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    // Not Linux, or not allowed: "unknown" on both sides of a comparison.
    return null;
  }
}
