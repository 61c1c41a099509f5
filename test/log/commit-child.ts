/**
 * Stores offsets of one group from outside, so many times, once it is told to; answers how that went.
 *
 *     commit-child.ts DIRECTORY TOPIC GROUP TIMES
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { log } from "../../src/adapters/log.ts";
import { GroupRunningError } from "../../src/errors.ts";

const [directory, topic, groupId, times] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
];
const admin = log(directory).admin();
await admin.open();
process.stdout.write("ready\n");
for await (const _ of createInterface({ input: process.stdin })) {
  let stored = 0;
  const errors = new Set<string>();
  for (let offset = 0; offset < Number(times); offset++) {
    try {
      await admin.commit(groupId, topic, [{ partition: 0, offset, metadata: "" }]);
      stored++;
    } catch (error) {
      if (!(error instanceof GroupRunningError)) errors.add(String(error));
    }
  }
  process.stdout.write(`${JSON.stringify({ stored, errors: [...errors] })}\n`);
}
await admin.close();
