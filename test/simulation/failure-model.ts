/** What must become of calls that fail (E, Q): back-off, collapse, dead letters. */
import { demand } from "./demand.ts";
import type { Period, SimCall, SimMessage } from "./period.ts";
import { RETRY } from "./scenario.ts";
import { strategyAnswer } from "./strategy.ts";

type Decision = "retry" | "skip" | "dispatch" | "unknown";

/** Where a retry waits whose lane is the whole partition. */
const PARTITION = "partition";

export class FailureModel {
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A call failed while its lease was live. */
  failed(call: SimCall): void {
    const { period, messages } = call;
    for (const message of messages) {
      message.failures++;
      message.collapsed = period.collapse.phase === "ordered";
    }
    const first = messages[0]!;
    const { collapse, rules } = period;
    if (collapse.phase === "ordered") {
      collapse.failures++;
      const decision = this.#decide(period, messages, collapse.failures);
      this.#apply(period, first, decision, () => {
        collapse.waitUntilMs = this.#now() + backoffMs(first.failures);
      });
    } else if (rules.onError === "isolate" && collapse.phase === "none") {
      const lane = period.laneOf(first);
      const budget = (period.budgets.get(lane) ?? 0) + 1;
      period.budgets.set(lane, budget);
      this.#apply(period, first, this.#decide(period, messages, budget), () => {
        const untilMs = this.#now() + backoffMs(first.failures);
        for (const message of messages) message.retryAtMs = untilMs;
        period.waits.set(lane, untilMs);
      });
      // Marks of its own leave the lane without progress.
      if (messages.some((one) => one.done)) this.unsure(period, lane);
    } else {
      collapse.fail(first.failures);
    }
  }

  /** Q1, Q2, Q7. */
  #decide(period: Period, messages: readonly SimMessage[], failures: number): Decision {
    const { queue } = period.rules;
    const [first] = messages;
    // What is marked is done: it is neither retried nor dispatched.
    if (queue === null || messages.length > 1 || first!.done) return "retry";
    if (queue.strategy) {
      const answer = strategyAnswer(first!.offset, first!.failures, false);
      if (answer === "retry" || answer === "skip") return answer;
      return answer === "dispatch" && queue.topic === false ? "skip" : "dispatch";
    }
    const counted = queue.independent ? first!.failures : failures;
    if (Number.isNaN(counted)) return "unknown";
    if (counted <= queue.maxRetries) return "retry";
    return queue.topic === false ? "skip" : "dispatch";
  }

  #apply(period: Period, message: SimMessage, decision: Decision, retry: () => void): void {
    message.state = "queued";
    if (decision === "retry") retry();
    else if (decision === "skip") this.letterDone(period, message, false);
    else this.#dispatches(message, decision === "dispatch");
  }

  #dispatches(message: SimMessage, certain: boolean): void {
    message.state = certain ? "dispatching" : "undecided";
    message.sends = 0;
    // The request begins at once; what it has to wait for is not seen from outside.
    message.sending = true;
    message.sendDueMs = this.#now();
  }

  /** A message was dispatched, or is skipped: it is done, and budgets are whole again. */
  letterDone(period: Period, message: SimMessage, dispatched: boolean): void {
    period.markDone(message);
    message.state = "finished";
    message.sending = false;
    // What waited behind it may be held back to fill a call (F3).
    period.endedMs = this.#now();
    const scope = this.#scopeOf(period, message);
    const last = period.lettered.get(scope) ?? -1;
    const { offset } = message;
    const { name } = period.partition;
    demand(
      !dispatched || offset > last,
      () => `Q6: ${name} ${offset} becomes a dead letter after ${last}`,
    );
    period.lettered.set(scope, offset);
    this.progress(period, period.laneOf(message));
    period.collapse.failures = 0;
  }

  /** Something of a lane was marked by a call that began after its failures (Q5). */
  progress(period: Period, lane: string | number): void {
    period.budgets.delete(lane);
    if (period.collapse.phase === "ordered") period.collapse.failures = 0;
  }

  /** A failed message was marked from outside: its lane may run empty, and then begins anew. */
  unsure(period: Period, lane: string | number): void {
    if (period.budgets.has(lane)) period.budgets.set(lane, Number.NaN);
  }

  // ---- letters on their way ----------------------------------------------------------------------------------

  /** A record leaves for a dead letter topic because its calls have failed. */
  sent(period: Period, message: SimMessage): void {
    const { name } = period.partition;
    const { offset, state } = message;
    const due = state === "dispatching" || state === "undecided";
    demand(due, () => `Q1: ${name} ${offset} is dispatched, being ${state}`);
    const nowMs = this.#now();
    demand(
      nowMs >= message.sendDueMs,
      () => `Q4: ${name} ${offset} is dispatched again before ${message.sendDueMs}`,
    );
    message.state = "dispatching";
    message.sends++;
    message.sending = true;
  }

  /** The answer of a send. */
  answered(period: Period, message: SimMessage, answer: "stored" | "failed" | "hopeless"): void {
    message.sending = false;
    if (period.state === "ended") return;
    const { queue } = period.rules;
    const asks = answer === "hopeless" && queue?.strategy === true;
    const said = asks ? strategyAnswer(message.offset, message.failures, true) : "retry";
    const skips = said === "skip" || (said === "dispatch" && queue?.topic === false);
    if (answer === "stored" || skips) this.letterDone(period, message, !skips);
    // A lease that drains sends nothing again: the message goes back.
    else if (period.state !== "live") message.state = "queued";
    else message.sendDueMs = this.#now() + backoffMs(message.sends);
  }

  /** What is not on its way when a lease begins to drain is given up. */
  drain(period: Period): void {
    for (const message of period.messages.values()) {
      if (message.state !== "dispatching" || message.sending) continue;
      // Its time has come: it may be on its way, though not seen yet.
      if (message.sendDueMs > this.#now()) message.state = "queued";
    }
  }

  #scopeOf(period: Period, message: SimMessage): string | number {
    return message.collapsed ? PARTITION : period.laneOf(message);
  }
}

/** E5. */
export function backoffMs(attempt: number): number {
  return Math.min(RETRY.backoffMs * RETRY.multiplier ** (attempt - 1), RETRY.maxBackoffMs);
}
