/** Takes its time, and keeps its thread from doing anything else meanwhile. */
const word = new Int32Array(new SharedArrayBuffer(4));

export const eachMessage = (): void => {
  Atomics.wait(word, 0, 0, 1);
};
