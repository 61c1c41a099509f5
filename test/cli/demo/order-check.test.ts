import { describe, expect, test } from "bun:test";
import { OrderCheck } from "../../../src/cli/demo/order-check.ts";
import type { Orders } from "../../../src/cli/demo/orders.ts";

/** Customers 0 and 1 by turns. */
const orders: Orders = {
  count: 4,
  customers: Uint32Array.of(0, 1, 0, 1),
  previous: Int32Array.of(-1, -1, 0, 1),
  busiest: 2,
};

function handle(check: OrderCheck, ...offsets: number[]): void {
  for (const offset of offsets) {
    check.started(offset);
    check.finished(offset, offset % 2);
  }
}

describe("OrderCheck", () => {
  test("finds nothing when customers are handled in turn, side by side", () => {
    const check = new OrderCheck(orders);
    check.started(1);
    handle(check, 0, 2);
    check.finished(1, 1);
    handle(check, 3);
    expect(check.result()).toEqual({ missing: 0, orderBreaks: 0, handledTwice: 0 });
    expect(check.perVirtualPartition(3)).toEqual([2, 2, 0]);
  });

  test("counts an order that starts before the earlier one is done", () => {
    const check = new OrderCheck(orders);
    handle(check, 1, 2, 0, 3);
    // 2 before 0 is one break, 0 after 2 another.
    expect(check.result().orderBreaks).toBe(2);
  });

  test("counts an order that runs beside the earlier one", () => {
    const check = new OrderCheck(orders);
    check.started(0);
    check.started(2);
    expect(check.result().orderBreaks).toBe(1);
  });

  test("counts missing orders and those that come again", () => {
    const check = new OrderCheck(orders);
    handle(check, 0, 1);
    expect(check.result()).toEqual({ missing: 2, orderBreaks: 0, handledTwice: 0 });
    handle(check, 1);
    expect(check.result()).toEqual({ missing: 2, orderBreaks: 1, handledTwice: 1 });
  });

  test("lets a restarted consumer begin earlier, in turn", () => {
    const check = new OrderCheck(orders);
    handle(check, 0, 2);
    check.started(1);
    check.restarted();
    handle(check, 0, 1, 2, 3);
    expect(check.result()).toEqual({ missing: 0, orderBreaks: 0, handledTwice: 2 });
  });

  test("counts a restarted consumer that goes out of turn, though all was done before", () => {
    const check = new OrderCheck(orders);
    handle(check, 0, 2);
    check.restarted();
    handle(check, 2, 0);
    expect(check.result().orderBreaks).toBe(1);
  });
});
