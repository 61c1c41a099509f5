import { log, openLog } from "../../src/adapters/log.ts";

/** Topic that `writeOrderLog()` fills. */
export const ORDERS = "orders";

const encoder = new TextEncoder();

/** Makes an embedded log with `count` orders of ten customers in one partition. */
export async function writeOrderLog(directory: string, count: number): Promise<void> {
  const embedded = await openLog(directory, { topics: { [ORDERS]: { partitions: 1 } } });
  const sink = log(embedded).sink();
  await sink.open();
  const records = Array.from({ length: count }, (_, order) => ({
    key: encoder.encode(`customer-${order % 10}`),
    value: encoder.encode(JSON.stringify({ order, customer: { id: order % 10 } })),
    headers: [["customer", encoder.encode(`c${order % 10}`)]] as const,
    timestamp: 1_700_000_000_000,
    id: null,
  }));
  const [outcome] = await sink.send([{ topic: ORDERS, partition: 0, records }]);
  if (outcome === undefined || "error" in outcome) throw new Error("the orders were not written");
  await sink.close();
  await embedded.close();
}

/** Offset that the group has stored. */
export async function storedOffset(directory: string, groupId: string): Promise<number | null> {
  const embedded = await openLog(directory);
  const [stored] = await embedded.committed(groupId, ORDERS);
  await embedded.close();
  return stored?.offset ?? null;
}
