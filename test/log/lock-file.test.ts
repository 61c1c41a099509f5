import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { LogError } from "../../src/errors.ts";
import { LockFile, type LockHolder } from "../../src/log/lock-file.ts";
import { removeTemporary, temporaryDirectory } from "./temporary.ts";

/** Above every system's highest process id. */
const DEAD_PID = 2 ** 30;

afterEach(removeTemporary);

function lockPath(): string {
  return join(temporaryDirectory(), "LOCK");
}

/** A lock as another holder would have left it, made from a real one of ours. */
function plant(path: string, change: Partial<LockHolder>): LockHolder {
  const lock = new LockFile(path);
  const ours = JSON.parse(readFileSync(path, "utf8")) as LockHolder;
  lock.release();
  const holder = { ...ours, token: "planted", ...change };
  writeFileSync(path, JSON.stringify(holder));
  return holder;
}

describe("LockFile", () => {
  test("names process, boot, host and epoch", () => {
    const path = lockPath();
    const lock = new LockFile(path);
    lock.beat(17);
    const holder = JSON.parse(readFileSync(path, "utf8")) as LockHolder;
    expect([holder.pid, holder.host, holder.epoch]).toEqual([process.pid, hostname(), 17]);
    expect(Math.abs(Date.now() - holder.heartbeat)).toBeLessThan(10_000);
    lock.release();
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  test("refuses a second holder and names the first", () => {
    const path = lockPath();
    const lock = new LockFile(path);
    expect(() => new LockFile(path)).toThrow(LogError);
    expect(() => new LockFile(path)).toThrow(`pid ${process.pid}`);
    lock.release();
    new LockFile(path).release();
  });

  test.each([
    ["a process that is gone", { pid: DEAD_PID }],
    ["a process id that was used again", { startTicks: "1" }],
    ["an earlier boot", { bootId: "before" }],
    ["another host whose heartbeat is old", { host: "elsewhere", heartbeat: 1 }],
  ] as [string, Partial<LockHolder>][])("takes over from %s", (_name, change) => {
    const path = lockPath();
    plant(path, change);
    const lock = new LockFile(path);
    expect(JSON.parse(readFileSync(path, "utf8")).pid).toBe(process.pid);
    expect(readdirSync(join(path, ".."))).toEqual(["LOCK"]);
    lock.release();
  });

  test.each([
    ["a live process", {}],
    ["another host whose heartbeat is new", { host: "elsewhere", pid: DEAD_PID }],
  ] as [string, Partial<LockHolder>][])("does not take over from %s", (_name, change) => {
    const path = lockPath();
    plant(path, change);
    expect(() => new LockFile(path)).toThrow("one process writes at a time");
    expect(JSON.parse(readFileSync(path, "utf8")).token).toBe("planted");
  });

  test("takes over an unreadable lock only when it is old", () => {
    const path = lockPath();
    writeFileSync(path, "");
    expect(() => new LockFile(path)).toThrow(LogError);
    utimesSync(path, 1, 1);
    new LockFile(path).release();
  });

  test("goes past a contender that died while it took over", () => {
    const path = lockPath();
    const dead = plant(path, { pid: DEAD_PID });
    writeFileSync(`${path}.planted`, JSON.stringify({ ...dead, token: "contender" }));
    const lock = new LockFile(path);
    expect(JSON.parse(readFileSync(path, "utf8")).pid).toBe(process.pid);
    lock.release();
  });

  test("waits for a contender that lives", () => {
    const path = lockPath();
    const dead = plant(path, { pid: DEAD_PID });
    writeFileSync(`${path}.planted`, JSON.stringify({ ...dead, pid: process.pid, token: "c" }));
    expect(() => new LockFile(path)).toThrow("one process writes at a time");
    expect(JSON.parse(readFileSync(path, "utf8")).pid).toBe(DEAD_PID);
  });

  test("release() leaves a lock alone that is another's by now", () => {
    const path = lockPath();
    const lock = new LockFile(path);
    writeFileSync(path, JSON.stringify({ token: "other" }));
    lock.release();
    expect(readFileSync(path, "utf8")).toContain("other");
  });
});
