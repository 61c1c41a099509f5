/** A dead letter strategy whose answers follow from the failure alone, so that the checker can foresee them. */

export type SimAnswer = "retry" | "skip" | "dispatch" | "elsewhere";

/** From this attempt on it gives up: a run must come to an end. */
const LAST_ATTEMPT = 4;

/** What the strategy says; a throw or nonsense count as "retry" (Q7). */
export function strategyAnswer(offset: number, attempt: number, hopeless: boolean): SimAnswer {
  const saying = rawAnswer(offset, attempt, hopeless);
  return saying === "throw" || saying === "nonsense" ? "retry" : saying;
}

/** What it really does. */
export function rawAnswer(
  offset: number,
  attempt: number,
  hopeless: boolean,
): SimAnswer | "throw" | "nonsense" {
  if (hopeless) return offset % 2 === 0 ? "elsewhere" : "skip";
  if (attempt >= LAST_ATTEMPT) return (["skip", "dispatch", "elsewhere"] as const)[offset % 3]!;
  const answers = ["retry", "skip", "throw", "dispatch", "retry", "nonsense", "elsewhere"] as const;
  return answers[(offset * 3 + attempt) % answers.length]!;
}
