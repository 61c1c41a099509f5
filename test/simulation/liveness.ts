/** Invariant 7: nothing that could run, or be dispatched, is waiting. */
import type { Checker } from "./checker.ts";
import { demand } from "./demand.ts";
import type { Period, SimCall, SimMessage } from "./period.ts";
import type { TopicRules } from "./scenario.ts";

/** Checked when all that is ready has run. */
export function checkLiveness(checker: Checker): void {
  const nowMs = checker.now();
  for (const period of checker.periods) {
    const member = checker.members.get(period.member)!;
    if (period.state !== "live" || member.closing) continue;
    if (member.askingTopics === 0) checkLetters(period, nowMs);
    if (period.gated || period.pausedUntilMs > nowMs) continue;
    if (member.paused.has(period.partition)) continue;
    if (member.running.size >= member.concurrency) continue;
    if (period.unacknowledged >= checker.scenario.maxUnmarkedMessages) continue;
    const calls = checker.callsOf(period.partition);
    const stuck = stuckMessage(period, calls, nowMs);
    demand(
      stuck === undefined,
      () => `7: ${period.partition.name} ${stuck?.offset} could run on m${period.member}`,
    );
  }
}

/** Q4: a dispatch that failed is repeated when its time has come. */
function checkLetters(period: Period, nowMs: number): void {
  for (const { state, sending, sendDueMs, offset } of period.messages.values()) {
    if (state !== "dispatching") continue;
    const { name } = period.partition;
    demand(sending || sendDueMs >= nowMs, () => `Q4: ${name} ${offset} is not dispatched again`);
  }
}

function stuckMessage(
  period: Period,
  calls: readonly SimCall[],
  nowMs: number,
): SimMessage | undefined {
  const { rules, collapse } = period;
  if (collapse.waitUntilMs > nowMs) return undefined;
  const left = period.unfinished;
  const all = [...period.messages.values()];
  if (all.some((one) => one.state === "undecided")) return undefined;
  const own = calls.filter((call) => call.period === period);
  if (own.length >= rules.maxPartitions) return undefined;
  const stale = calls.length - own.length;
  const letters = all.filter((one) => one.state === "dispatching");
  const waits = [...period.waits].filter(([, untilMs]) => untilMs > nowMs);
  if (collapse.phase !== "none") {
    // What lies in a lane that still waits cannot be told.
    if (calls.length + letters.length + waits.length > 0) return undefined;
    const [first] = left;
    return first !== undefined && first.offset < collapse.until && first.retryAtMs <= nowMs
      ? first
      : undefined;
  }
  // What a lane gives free, by a call or by the end of a back-off, may be held back until it is old enough (F3).
  const freeMs = Math.max(
    period.endedMs,
    ...[...period.waits.values()].filter((ms) => ms <= nowMs),
  );
  const queued = left.filter(
    (one) => one.state === "queued" && Math.max(one.deliveredMs + rules.maxWaitMs, freeMs) <= nowMs,
  );
  // Whatever the distribution: with nothing to wait for, something must run.
  if (calls.length + waits.length + letters.length === 0) return queued[0];
  const open = [...left, ...letters, ...calls.flatMap((call) => call.messages)];
  if (open.some((one) => one.ordered) || waits.some(([lane]) => lane === "ordered")) {
    return undefined;
  }
  const laneOf = laneKnown(rules, period);
  if (laneOf === undefined || (stale > 0 && rules.distribution !== "per-key")) return undefined;
  const busy = new Set<unknown>(waits.map(([lane]) => lane));
  for (const call of calls) for (const one of call.messages) busy.add(laneOf(one));
  for (const one of letters) busy.add(laneOf(one));
  return queued.find((one) => laneOf(one) !== undefined && !busy.has(laneOf(one)));
}

/** Which lane a message is in, where that can be said from outside. */
function laneKnown(
  rules: TopicRules,
  period: Period,
): ((message: SimMessage) => unknown) | undefined {
  if (rules.distribution === "per-key") return (message) => message.key;
  if (rules.distribution === "consistent") return (message) => period.placed.get(message.key);
  return undefined;
}
