import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { CorruptLogError, LogError } from "../../src/errors.ts";
import { groupDirectory } from "../../src/log/group-directory.ts";
import { GroupOffsets } from "../../src/log/group-offsets.ts";
import { LockedGroup } from "../../src/log/locked-group.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { removeTemporary, temporaryDirectory } from "./temporary.ts";

const SLOT_BYTES = 16_384;
const RULE = "Cannot join";

const locked: LockedGroup[] = [];

afterEach(() => {
  for (const group of locked.splice(0)) group.release();
  removeTemporary();
});

function setUp() {
  const directory = temporaryDirectory();
  const offsets = new GroupOffsets(directory);
  const lock = (groupId: string) => {
    const group = offsets.lock(groupId, RULE);
    locked.push(group);
    return group;
  };
  const stored = (offset: number) => ({ offset, metadata: `m${offset}`, generation: offset });
  const file = join(groupDirectory(directory, "workers"), "2.offset");
  return { directory, offsets, lock, stored, file };
}

describe("GroupOffsets", () => {
  test("gives back what a group has stored, at once and from disk", () => {
    const { directory, offsets, lock } = setUp();
    const value = { offset: 2 ** 45, metadata: "ü".repeat(4096), generation: 3 };
    lock("Größe/..").set(0, value);
    lock("other").set(7, { offset: 0, metadata: "", generation: 0 });
    for (const one of [offsets, new GroupOffsets(directory)]) {
      expect(one.groupIds()).toEqual(["Größe/..", "other"]);
      expect(one.get("Größe/..", 0)).toEqual(value);
      expect(one.get("other", 7)?.offset).toBe(0);
      expect(one.get("other", 0)).toBeUndefined();
      expect(one.get("nobody", 0)).toBeUndefined();
      expect([...one.all("nobody")]).toEqual([]);
    }
    const [found] = offsets.all("other").values();
    expect(Math.abs(Date.now() - found!.storedMs)).toBeLessThan(60_000);
  });

  test("falls back to the older slot when the newer is torn, at every byte", () => {
    const { offsets, lock, stored, file } = setUp();
    const group = lock("workers");
    group.set(2, stored(1));
    group.set(2, stored(2));
    const good = readFileSync(file);
    for (let at = 0; at < 24 + 24 + 2; at++) {
      const torn = Uint8Array.from(good);
      torn[at] = torn[at]! ^ 0x10;
      writeFileSync(file, torn);
      expect(offsets.get("workers", 2)).toEqual(stored(1));
    }
  });

  test("goes on in the torn slot", () => {
    const { offsets, lock, stored, file } = setUp();
    const first = lock("workers");
    for (const offset of [1, 2]) first.set(2, stored(offset));
    first.release();
    const torn = readFileSync(file).fill(0, 0, SLOT_BYTES);
    writeFileSync(file, torn);
    const again = lock("workers");
    again.set(2, stored(3));
    expect(offsets.get("workers", 2)).toEqual(stored(3));
    again.set(2, stored(1));
    expect(offsets.get("workers", 2)).toEqual(stored(1));
  });

  test("refuses a file without a good slot, naming it", () => {
    const { offsets, lock, stored, file } = setUp();
    const group = lock("workers");
    group.set(2, stored(1));
    group.release();
    writeFileSync(file, readFileSync(file).fill(1));
    expect(() => offsets.get("workers", 2)).toThrow(CorruptLogError);
    expect(() => offsets.get("workers", 2)).toThrow("2.offset");
    expect(() => lock("workers")).toThrow(CorruptLogError);
    // The lock was given back.
    writeFileSync(file, "");
    lock("workers");
  });

  test("takes a file that was made and never written as no offset", () => {
    const { offsets, lock, stored, file } = setUp();
    lock("workers").set(2, stored(1));
    writeFileSync(file, "");
    expect(offsets.get("workers", 2)).toBeUndefined();
  });

  test("a group is held once, by name; its directory says whose it is", () => {
    const { directory, offsets, lock } = setUp();
    const group = lock("Orders / EU");
    expect(() => lock("Orders / EU")).toThrow(LogError);
    expect(() => lock("Orders / EU")).toThrow(`${RULE}: received`);
    expect(() => lock("Orders / EU")).toThrow(`held by this process (pid ${process.pid}`);
    expect(group.held).toBe(true);
    lock("orders-eu");
    expect(readdirSync(directory).length).toBe(2);
    expect(offsets.groupIds()).toEqual(["Orders / EU", "orders-eu"]);
    group.release();
    expect(group.held).toBe(false);
    lock("Orders / EU");
  });

  test("a group whose lock is another's by now is not held any more", () => {
    const { lock, file } = setUp();
    const group = lock("workers");
    writeFileSync(join(file, "..", "LOCK"), JSON.stringify({ token: "another" }));
    expect(group.held).toBe(false);
    group.release();
    expect(readFileSync(join(file, "..", "LOCK"), "utf8")).toContain("another");
  });

  test("remove() takes all of a group away, and gives it back", () => {
    const { directory, offsets, lock, stored } = setUp();
    const group = lock("workers");
    group.set(0, stored(1));
    group.remove();
    expect(readdirSync(directory)).toEqual([]);
    expect(offsets.get("workers", 0)).toBeUndefined();
    lock("workers").set(0, stored(2));
    expect(offsets.get("workers", 0)).toEqual(stored(2));
  });

  test("sweep() spares what others are making, and removes what a crash left", () => {
    const { directory, offsets, lock } = setUp();
    lock("workers");
    const [fresh, old] = ["a.tmp", "b.tmp"].map((name) => join(directory, name));
    for (const path of [fresh!, old!]) mkdirSync(path);
    utimesSync(old!, 1, 1);
    offsets.sweep();
    expect(readdirSync(directory)).toContain(basename(fresh!));
    expect(readdirSync(directory)).not.toContain(basename(old!));
    expect(offsets.groupIds()).toEqual(["workers"]);
  });

  test("what is stored is synced within a second; the first offset at once", async () => {
    const { directory, stored } = setUp();
    const clock = fakeClock();
    const group = new LockedGroup(directory, "workers", RULE, clock);
    locked.push(group);
    const heartbeats = clock.pendingTimers();
    group.set(0, stored(1));
    expect(clock.pendingTimers()).toBe(heartbeats);
    group.set(0, stored(2));
    expect(clock.pendingTimers()).toBe(heartbeats + 1);
    await clock.advance(1000);
    await group.sync();
    expect(clock.pendingTimers()).toBe(heartbeats);
  });

  test("a sync that failed is told by the next store, which is then to be repeated", async () => {
    const { directory, stored } = setUp();
    const group = new LockedGroup(directory, "workers", RULE, fakeClock());
    locked.push(group);
    for (const offset of [1, 2]) group.set(0, stored(offset));
    const path = join(groupDirectory(directory, "workers"), "0.offset");
    const bytes = readFileSync(path);
    // The sync opens the file again, so one that is gone fails it.
    rmSync(path);
    await group.sync();
    writeFileSync(path, bytes);
    expect(() => group.set(0, stored(3))).toThrow("the last sync must succeed");
    group.set(0, stored(3));
    expect(new GroupOffsets(directory).get("workers", 0)).toEqual(stored(3));
  });
});
