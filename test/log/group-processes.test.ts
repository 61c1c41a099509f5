import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { GroupOffsets } from "../../src/log/group-offsets.ts";
import { Child } from "./child.ts";
import { removeTemporary, temporaryDirectory } from "./temporary.ts";

const PROCESSES = 4;
const ROUNDS = 10;

const children: Child[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  removeTemporary();
});

async function start(directory: string, count: number): Promise<Child[]> {
  const started = Array.from({ length: count }, () => new Child("group-child.ts", [directory]));
  children.push(...started);
  for (const child of started) expect(await child.line()).toBe("ready");
  return started;
}

/** Tells all at once, and waits for all answers. */
function ask(asked: readonly Child[], say: (index: number) => string): Promise<string[]> {
  asked.forEach((child, index) => void child.say(say(index)));
  return Promise.all(asked.map(async (child) => (await child.line()) ?? `ended: ${child.errors}`));
}

describe("groups of several processes in one topic", () => {
  test("different ones, made at the same moment, do not clash", async () => {
    const directory = temporaryDirectory();
    const all = await start(directory, PROCESSES);
    const done = Array(PROCESSES).fill("done");
    for (let round = 0; round < ROUNDS; round++) {
      expect(await ask(all, (index) => `lock g-${round}-${index}`)).toEqual(done);
      expect(await ask(all, (index) => `set ${index} ${round * 10 + index}`)).toEqual(done);
      expect(await ask(all, () => "release")).toEqual(done);
    }
    const offsets = new GroupOffsets(directory);
    expect(offsets.groupIds().length).toBe(PROCESSES * ROUNDS);
    expect(readdirSync(directory).length).toBe(PROCESSES * ROUNDS);
    for (let round = 0; round < ROUNDS; round++) {
      for (let index = 0; index < PROCESSES; index++) {
        const stored = [...offsets.all(`g-${round}-${index}`)];
        expect(stored.map(([partition, { value }]) => [partition, value.offset])).toEqual([
          [index, round * 10 + index],
        ]);
      }
    }
  });

  test("one group, asked for at the same moment, goes to one, and the others are told to whom", async () => {
    const directory = temporaryDirectory();
    const all = await start(directory, PROCESSES);
    for (let round = 0; round < ROUNDS; round++) {
      const answers = await ask(all, () => `lock g-${round}`);
      const winner = answers.indexOf("done");
      expect([round, answers.filter((one) => one === "done").length]).toEqual([round, 1]);
      const { pid } = all[winner]!;
      for (const answer of answers.filter((_, index) => index !== winner)) {
        expect(answer).toContain(`Cannot join: received ${directory}`);
        expect(answer).toContain(`held by process ${pid}`);
      }
      expect(await ask([all[winner]!], () => "release")).toEqual(["done"]);
    }
  });

  test("the group of a process that was killed is free at once, with all it stored", async () => {
    const directory = temporaryDirectory();
    const [first, second] = await start(directory, 2);
    expect(await ask([first!], () => "lock g")).toEqual(["done"]);
    for (let offset = 0; offset < 20; offset++) {
      expect(await ask([first!], () => `set 0 ${offset}`)).toEqual(["done"]);
    }
    expect((await ask([second!], () => "lock g"))[0]).toContain(`held by process ${first!.pid}`);
    await first!.kill();
    expect(await ask([second!], () => "lock g")).toEqual(["done"]);
    expect(new GroupOffsets(directory).get("g", 0)?.offset).toBe(19);
  });
});
