/** Segments that start side by side in several processes store offsets of the same groups of a log. */
import { afterEach, expect, test } from "bun:test";
import { openLog } from "../../src/adapters/log.ts";
import { Child } from "../log/child.ts";
import { removeTemporary, temporaryDirectory } from "../log/temporary.ts";

const TIMES = 100;

afterEach(removeTemporary);

test("a commit from outside that meets another one's lock is no failure", async () => {
  const directory = temporaryDirectory();
  const store = await openLog(directory, { topics: { t: { partitions: 1 } } });
  const args = [directory, "t", "g", String(TIMES)];
  const children = [0, 1].map(() => new Child("commit-child.ts", args));
  for (const child of children) expect(await child.line()).toBe("ready");
  for (const child of children) child.say("go");
  let all = 0;
  for (const child of children) {
    const { stored, errors } = JSON.parse((await child.line())!);
    expect(errors).toEqual([]);
    all += stored;
  }
  // One may find the other one's lock each time: that is told as a group that runs, and counts as none stored.
  expect(all).toBeGreaterThan(0);
  for (const child of children) await child.end();
  await store.close();
});
