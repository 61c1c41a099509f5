/** A worker thread of bench/workers.ts: one handler, and the board of the run. */
import { workerData } from "node:worker_threads";
import { serve } from "../../src/worker/serve.ts";
import { CpuBoard } from "./cpu-board.ts";
import { type CpuWorkName, cpuWorks } from "./cpu-work.ts";

/** What the thread is given. */
export interface CpuThreadData {
  readonly work: CpuWorkName;
  readonly count: number;
  readonly keys: number;
  readonly board: SharedArrayBuffer;
}

const { work, count, keys, board: memory } = workerData as CpuThreadData;
const board = new CpuBoard(count, keys, memory);
const { answer } = cpuWorks[work];

serve({ eachMessage: (message) => board.handle(message.offset, () => answer(message)) });
