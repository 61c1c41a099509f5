/** Runs of many shapes for the tests and benches of the completed map: not done, done, not done, done … */

/** Makes runs over about so many offsets; the first offset is never done. */
export type Shape = (random: () => number, offsetCount: number) => number[];

/** Length of a run whose offsets each end it with probability `p`. */
function geometric(random: () => number, p: number): number {
  return p >= 1 ? 1 : 1 + Math.floor(Math.log(1 - random()) / Math.log(1 - p));
}

/** Alternating runs, each of a length of its own, until they span `offsetCount`. */
function alternating(offsetCount: number, notDone: () => number, done: () => number): number[] {
  const runs: number[] = [];
  let left = offsetCount;
  while (left > 0) {
    const length = Math.min(left, runs.length % 2 === 0 ? notDone() : done());
    runs.push(length);
    left -= length;
  }
  return runs;
}

/** Each offset on its own is not done with probability `p`. */
export function independent(p: number): Shape {
  return (random, offsetCount) =>
    alternating(
      offsetCount,
      () => geometric(random, 1 - p),
      () => geometric(random, p),
    );
}

/** A Markov chain: bursts of `length` offsets that are not done, which come to a share of `p` of all. */
export function bursts(length: number, p: number): Shape {
  return (random, offsetCount) =>
    alternating(
      offsetCount,
      () => geometric(random, 1 / length),
      () => geometric(random, p / (1 - p) / length),
    );
}

/** The first offset is stuck, then all is done, but in the last 5 % every other offset on average. */
export const stuckWithTail: Shape = (random, offsetCount) => {
  const tail = Math.floor(offsetCount / 20);
  const runs = [1, Math.max(1, offsetCount - tail - 1)];
  return tail > 0 ? runs.concat(independent(0.5)(random, tail)) : runs;
};

/** Lengths of any size, up to 2³¹ in all. */
export const wild: Shape = (random) => {
  const runs: number[] = [];
  for (let left = 2 ** 31 - 1; left > 0; ) {
    const length = Math.min(left, 1 + Math.floor(2 ** (random() * 31) * random()));
    runs.push(length);
    left -= length;
  }
  return runs;
};

export const SHAPES: Readonly<Record<string, Shape>> = {
  "independent 50 %": independent(0.5),
  "independent 10 %": independent(0.1),
  "independent 1 %": independent(0.01),
  "independent 90 %": independent(0.9),
  bursts: bursts(8, 0.02),
  "long bursts": bursts(500, 0.3),
  "stuck with a tail": stuckWithTail,
  wild,
};
