/**
 * A reporter for `node --test`: one line of JSON at the end, `{ passed, failed, skipped }`.
 *
 * Node's own summary takes a file without tests for a test that passed, and leaves out a describe
 * whose hook threw.
 */
import { resolve } from "node:path";

// biome-ignore lint/style/noDefaultExport: node loads a reporter by its default export
export default async function* nodeCounts(events) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of events) {
    const isSuite = data?.details?.type === "suite";
    if (type === "test:fail") {
      const failure = data.details.error?.failureType;
      if (!isSuite || failure === "hookFailed") counts.failed++;
    } else if (type === "test:pass" && !isSuite) {
      const isFile = data.nesting === 0 && resolve(data.name) === data.file;
      if (data.skip !== undefined || data.todo !== undefined) counts.skipped++;
      else if (!isFile) counts.passed++;
    }
  }
  yield `${JSON.stringify(counts)}\n`;
}
