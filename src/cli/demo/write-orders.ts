import { type Log, log } from "../../adapters/log.ts";
import { createProducer } from "../../index.ts";
import { CommandError } from "../command-error.ts";
import { ORDERS_TOPIC } from "./consume-orders.ts";
import { customerKey, type Orders } from "./orders.ts";

/** Records of one produceMany() call. */
const CHUNK = 1000;

/**
 * Writes all orders into partition 0 and checks that offset = index, which all checks rely on.
 *
 * @throws {CommandError} When an order lies elsewhere.
 */
export async function writeOrders(
  embedded: Log,
  orders: Orders,
  onProgress: (written: number) => void,
): Promise<void> {
  const producer = createProducer({ sink: log(embedded) });
  try {
    for (let from = 0; from < orders.count; from += CHUNK) {
      const to = Math.min(orders.count, from + CHUNK);
      const records = Array.from({ length: to - from }, (_, index) =>
        orderRecord(orders, from + index),
      );
      const written = await producer.produceMany(records);
      written.forEach(({ offset }, index) => {
        if (offset === from + index) return;
        throw new CommandError(
          `Cannot use the log as order ${from + index} must have that offset: received ${offset}`,
        );
      });
      onProgress(to);
    }
  } finally {
    await producer.close();
  }
}

function orderRecord(
  orders: Orders,
  offset: number,
): { topic: string; key: string; value: string; partition: number } {
  const customer = customerKey(orders.customers[offset]!);
  const amount = 5 + (Math.imul(offset, 7919) % 200);
  return {
    topic: ORDERS_TOPIC,
    key: customer,
    value: JSON.stringify({ order: offset, customer, amount }),
    partition: 0,
  };
}
