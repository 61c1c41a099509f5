/** A worker thread of bench/workers.ts: one handler, and the board of the run. */
import { workerData } from "node:worker_threads";
import { serve } from "../../src/worker/serve.ts";
import { CpuBoard } from "./cpu-board.ts";
import { type CpuWorkName, cpuWorks, plainMessage } from "./cpu-work.ts";

/** Answers that a thread computes before its first call: the plain loop, too, has run before. */
const WARM_UP: Readonly<Record<CpuWorkName, number>> = { sha256: 50, json: 1000 };

/** What the thread is given. */
export interface CpuThreadData {
  readonly work: CpuWorkName;
  readonly count: number;
  readonly keys: number;
  readonly board: SharedArrayBuffer;
}

const { work, count, keys, board: memory } = workerData as CpuThreadData;
const board = new CpuBoard(count, keys, memory);
const { answer, value } = cpuWorks[work];
const first = plainMessage(value(0));
for (let i = 0; i < WARM_UP[work]; i++) answer(first);

serve({ eachMessage: (message) => board.handle(message.offset, () => answer(message)) });
