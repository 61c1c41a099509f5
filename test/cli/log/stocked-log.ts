import { type Log, openLog } from "../../../src/adapters/log.ts";
import { numbered } from "../../log/temporary.ts";

/** Messages of `orders#0`; `orders#1` has half as many. */
export const MESSAGES = 96;

/**
 * Makes the log `log` in the directory: `orders` with two partitions and several segments, the empty
 * topic `bills`, the groups `billing` (both partitions) and `audit` (partition 0, at its end).
 */
export async function stockLog(directory: string): Promise<void> {
  const log = await openStock(directory);
  for (let first = 0; first < MESSAGES; first += 8) {
    await log.append("orders", 0, numbered(first, 8));
    if (first % 16 === 0) await log.append("orders", 1, numbered(first / 2, 8));
  }
  await log.commit("billing", "orders", [
    { partition: 0, offset: 40 },
    { partition: 1, offset: 8, metadata: "text" },
  ]);
  await log.commit("audit", "orders", [{ partition: 0, offset: MESSAGES }]);
  await log.close();
}

/** Opens it for writing. */
export async function openStock(directory: string): Promise<Log> {
  return await openLog(`${directory}/log`, {
    topics: { orders: { partitions: 2 }, bills: { partitions: 1 } },
    segment: { bytes: 1024 },
  });
}
