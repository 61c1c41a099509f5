import { expect, test } from "bun:test";
import { drawOrders, waitMs } from "../../../src/cli/demo/orders.ts";

test("drawOrders() draws the same orders each time", () => {
  expect([...drawOrders(100, 10).customers]).toEqual([...drawOrders(100, 10).customers]);
});

test("drawOrders() links each order to the customer's previous one", () => {
  const { count, customers, previous, busiest } = drawOrders(2000, 50);
  const last = new Map<number, number>();
  const totals = new Map<number, number>();
  for (let offset = 0; offset < count; offset++) {
    const customer = customers[offset]!;
    expect(previous[offset]).toBe(last.get(customer) ?? -1);
    last.set(customer, offset);
    totals.set(customer, (totals.get(customer) ?? 0) + 1);
  }
  expect(busiest).toBe(Math.max(...totals.values()));
  expect(totals.get(0)).toBe(busiest);
});

test("drawOrders() follows the skew when there are many orders", () => {
  const { customers } = drawOrders(50_000, 500);
  const first = customers.filter((customer) => customer === 0).length / 50_000;
  let sum = 0;
  for (let rank = 1; rank <= 500; rank++) sum += rank ** -0.5;
  expect(Math.abs(first - 1 / sum)).toBeLessThan(0.003);
});

test("drawOrders() works with one customer", () => {
  expect([...drawOrders(3, 1).previous]).toEqual([-1, 0, 1]);
});

test("waitMs() is 1 to 10 and uses all of them alike", () => {
  const counts = new Array<number>(11).fill(0);
  for (let offset = 0; offset < 10_000; offset++) counts[waitMs(offset)]!++;
  expect(counts[0]).toBe(0);
  for (const times of counts.slice(1)) expect(Math.abs(times - 1000)).toBeLessThan(200);
});
