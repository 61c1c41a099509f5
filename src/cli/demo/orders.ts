/** Skew of the customers: the n-th has a share proportional to n^-0.5, so the busiest of 500 places 2.3 % of all orders. */
const ORDER_SKEW = 0.5;
/** Same seed, same orders. */
const ORDER_SEED = 7;

/** The demo's input: index = offset, for all orders go to one partition. */
export interface Orders {
  readonly count: number;
  /** Customer of each order, as an index. */
  readonly customers: Uint32Array;
  /** Previous order of the same customer, or -1. */
  readonly previous: Int32Array;
  /** Orders of the busiest customer. */
  readonly busiest: number;
}

/** Draws who places each order. */
export function drawOrders(count: number, customerCount: number): Orders {
  const edges = zipfEdges(customerCount);
  const random = mulberry32(ORDER_SEED);
  const customers = new Uint32Array(count);
  const previous = new Int32Array(count);
  const last = new Int32Array(customerCount).fill(-1);
  const totals = new Uint32Array(customerCount);
  for (let offset = 0; offset < count; offset++) {
    const customer = firstAbove(edges, random());
    customers[offset] = customer;
    previous[offset] = last[customer]!;
    last[customer] = offset;
    totals[customer]!++;
  }
  return { count, customers, previous, busiest: totals.reduce((a, b) => Math.max(a, b), 0) };
}

/** Message key of an order. */
export function customerKey(customer: number): string {
  return `customer-${customer + 1}`;
}

/** Milliseconds that handling an order takes: 1 to 10, always the same for an offset. */
export function waitMs(offset: number): number {
  return 1 + ((Math.imul(offset + 1, 0x9e3779b1) >>> 16) % 10);
}

/** Upper edge of each customer's slice of [0, 1). */
function zipfEdges(customerCount: number): Float64Array {
  const edges = new Float64Array(customerCount);
  let sum = 0;
  for (let rank = 0; rank < customerCount; rank++) {
    sum += (rank + 1) ** -ORDER_SKEW;
    edges[rank] = sum;
  }
  return edges.map((edge) => edge / sum);
}

/** Index of the first edge above the value (binary search). */
function firstAbove(edges: Float64Array, value: number): number {
  let low = 0;
  let high = edges.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (edges[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Small seeded generator of numbers in [0, 1): mulberry32 by Tommy Ettinger, public domain. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
