/** Rounds in which subjects take turns, and what they come to. */

/** Seconds of each subject, by name, round by round. */
export type Rounds = Readonly<Record<string, readonly number[]>>;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Runs every subject once to warm up, then in turns; progress goes to stderr. */
export async function takeTurns(
  name: string,
  rounds: number,
  subjects: Readonly<Record<string, () => Promise<number>>>,
): Promise<Rounds> {
  const names = Object.keys(subjects);
  const seconds = Object.fromEntries(names.map((subject) => [subject, [] as number[]]));
  for (let round = 0; round <= rounds; round++) {
    for (const [subject, run] of Object.entries(subjects)) {
      process.stderr.write(`\r${name}: round ${round} of ${rounds}, ${subject}`.padEnd(72));
      const took = await run();
      if (round > 0) seconds[subject]!.push(took);
    }
  }
  process.stderr.write(`\r${"".padEnd(72)}\r`);
  return seconds;
}

/** One line per subject: rate, and its ratio to the baseline of the same rounds. */
export function report(
  cell: string,
  count: number,
  rounds: Rounds,
  baseline: string,
  json: boolean,
): void {
  const base = rounds[baseline]!;
  for (const [subject, seconds] of Object.entries(rounds)) {
    const perSecond = Math.round(count / median(seconds));
    // Ratio round by round: what disturbs the machine disturbs neighbours alike.
    const ratio = median(seconds.map((one, round) => base[round]! / one));
    if (json) {
      const figures = { cell, subject, perSecond, baseline, ratio: Number(ratio.toFixed(3)) };
      console.log(JSON.stringify({ ...figures, rounds: seconds.length }));
      continue;
    }
    const rate = perSecond.toLocaleString("en").padStart(11);
    console.log(
      `${cell.padEnd(14)} ${subject.padEnd(26)} ${rate}/s   ${ratio.toFixed(3)} × ${baseline}`,
    );
  }
}
