/** A worker thread of the demo: hashes orders. */
import { workerData } from "node:worker_threads";
import { serve } from "../../worker/serve.ts";
import { HashBoard } from "./hash-board.ts";
import { hashOrder } from "./hash-orders.ts";

/** What the thread is given. */
export interface HashThreadData {
  readonly count: number;
  readonly board: SharedArrayBuffer;
}

const { count, board: memory } = workerData as HashThreadData;
const board = new HashBoard(count, memory);

serve({
  eachMessage: ({ offset, value }, { virtualPartition }) =>
    board.handle(offset, virtualPartition, () => hashOrder(value!)),
});
