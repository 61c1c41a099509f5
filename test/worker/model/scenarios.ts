import type { Scenario } from "./world.ts";

/**
 * The ring of these has 64 bytes. A frame takes 8 bytes more than its words, rounded up to 8: of frames of 2 words four
 * fit, of 6 words two, of 10 words one.
 */
export const SCENARIOS: Readonly<Record<string, Omit<Scenario, "name">>> = {
  "a frame and its answer": {
    polling: { first: [2], closesAfter: 1 },
    worker: { answers: true },
  },
  "two frames, one at any time, and their answers": {
    polling: { first: [2], later: [[2]], closesAfter: 2 },
    worker: { answers: true },
  },
  "more frames than the ring holds": {
    polling: { first: [10, 6], closesAfter: 0 },
    worker: {},
  },
  "frames around the end of the ring": {
    polling: { first: [2, 6, 4] },
    worker: { closesAfter: 3 },
  },
  "a short frame behind one that waits": {
    polling: { first: [10, 6, 2] },
    worker: { closesAfter: 3 },
  },
  "more frames than the ring holds, at any time": {
    polling: { later: [[6, 6, 6]] },
    worker: { closesAfter: 3 },
  },
  "a frame larger than the ring takes, and a short one": {
    polling: { first: [10, 8, 2] },
    worker: { closesAfter: 3 },
  },
  "full rings both ways": {
    polling: { first: [10, 6], closesAfter: 2 },
    worker: { first: [10, 6] },
  },
  "a thread that blocks": {
    polling: { first: [2], closesAfter: 1 },
    worker: { answers: true, blocks: true },
  },
  "sleep by bell": {
    polling: { first: [2], closesAfter: 1 },
    worker: { answers: true },
    byBell: true,
  },
  "sleep by bell, and more frames than the ring holds": {
    polling: { first: [10, 6] },
    worker: { closesAfter: 2 },
    byBell: true,
  },
  "the worker dies": {
    polling: { first: [2] },
    worker: { answers: true },
    dies: true,
  },
  "the worker dies with its ring full": {
    polling: { first: [10, 6] },
    worker: { first: [6, 6] },
    dies: true,
  },
};
