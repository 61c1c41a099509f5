/**
 * A handler module for `headrace run`: counts orders per customer.
 *
 *     headrace run examples/count-by-key.ts --topic orders --group counts --log ./data --from-beginning --until-end
 *
 * Calls for one key never overlap, so reading and writing the count across an `await` is safe without a lock.
 */
import type { Deserializer, Message } from "../src/index.ts";

interface Order {
  readonly customer: string;
  readonly amount: number;
}

const totals = new Map<string, number>();

export const deserializer: Deserializer<Order> = (_value, message) => message.json<Order>();

export async function eachMessage(message: Message<Order>): Promise<void> {
  const { customer, amount } = message.payload;
  const before = totals.get(customer) ?? 0;
  await saveTotal(customer, before + amount);
}

/** Stands for a database: it takes a moment. */
async function saveTotal(customer: string, total: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2));
  totals.set(customer, total);
}
