/** What must hold when a handler call starts. */
import type { Checker, SimMember } from "./checker.ts";
import { demand } from "./demand.ts";
import type { SimCall, SimMessage } from "./period.ts";

/** Invariant 5, and C1: one call per virtual partition. */
export function checkBounds(
  { scenario }: Checker,
  member: SimMember,
  call: SimCall,
  where: string,
): void {
  const { period, virtualPartition, messages } = call;
  const { rules } = period;
  const room = member.running.size < member.concurrency;
  demand(room, () => `5: ${where} is above the concurrency of ${member.concurrency}`);
  const calls = [...member.running].filter((one) => one.period === period);
  demand(calls.length < rules.maxPartitions, () => `5: ${where} is above maxPartitions`);
  const lanes = calls.map((one) => one.virtualPartition);
  demand(
    !lanes.includes(virtualPartition) && virtualPartition < rules.maxPartitions,
    () => `C1: ${where} cannot be on virtual partition ${virtualPartition}`,
  );
  const most = rules.form === "eachMessage" ? 1 : rules.maxMessages;
  demand(messages.length <= most, () => `F3: ${where} has more than ${most} messages`);
  demand(
    period.unacknowledged < scenario.maxUnmarkedMessages,
    () => `O9: ${where} starts with ${period.unacknowledged} messages unacknowledged`,
  );
}

/** Invariant 1, and that nothing runs twice under one lease. */
export function checkOrder(running: readonly SimCall[], call: SimCall, where: string): void {
  for (const message of call.messages) checkPlace(running, call, message, where);
}

function checkPlace(
  running: readonly SimCall[],
  call: SimCall,
  message: SimMessage,
  where: string,
): void {
  const { offset, key } = message;
  demand(message.state === "queued", () => `3: ${where}: ${offset} is ${message.state}`);
  demand(!message.done, () => `3: ${where}: ${offset} was marked before`);
  for (const one of running) {
    const shared = one.messages.find(
      (other) => other.key === key || other.ordered || message.ordered,
    );
    demand(
      shared === undefined,
      () => `1: ${where}: ${shared?.offset} of key ${key} still runs on m${one.member}`,
    );
  }
  for (const other of call.period.messages.values()) {
    if (other.offset >= offset) break;
    if (other.done || other.state === "finished") continue;
    const after = other.key === key || other.ordered || message.ordered;
    const inCall = call.messages.includes(other);
    demand(!after || inCall, () => `1: ${where}: ${offset} overtakes ${other.offset}`);
  }
}

/** E3, E5, D1, D4: offsets ascend, a retry adds nothing and waits for its time. */
export function checkLane(call: SimCall, attempt: number, nowMs: number, where: string): void {
  const { period, messages, virtualPartition } = call;
  for (const [i, message] of messages.entries()) {
    demand(i === 0 || messages[i - 1]!.offset < message.offset, () => `D4: ${where} not ascending`);
    const alone = message.failures === 0 || messages.length === 1;
    demand(alone, () => `Q1: ${where} retries more than one message`);
    if (period.rules.distribution !== "consistent" || message.ordered) continue;
    const before = period.placed.get(message.key) ?? virtualPartition;
    demand(before === virtualPartition, () => `D1: ${where}: key ${message.key} moved`);
    period.placed.set(message.key, virtualPartition);
  }
  const first = messages[0]!;
  const due = first.failures + 1;
  demand(attempt === due, () => `E3: ${where} is attempt ${attempt} instead of ${due}`);
  const waited = first.retryAtMs <= nowMs;
  demand(waited, () => `E5: ${where} is retried before ${first.retryAtMs} ms`);
}

/** E2: one call at a time, strictly in offset order, nothing from the window's end on. */
export function checkCollapse(
  running: readonly SimCall[],
  call: SimCall,
  collapsed: boolean,
  nowMs: number,
  where: string,
): void {
  const { period, messages } = call;
  const { collapse } = period;
  if (collapse.phase === "none") return;
  demand(
    collapse.phase !== "gathering",
    () => `E2: ${where} starts before running calls have ended`,
  );
  const alone = !running.some((one) => one.period === period);
  demand(alone, () => `E2: ${where} is not alone in a collapse`);
  const { until, waitUntilMs } = collapse;
  demand(nowMs >= waitUntilMs, () => `E5: ${where} starts before ${waitUntilMs} ms`);
  const last = messages[messages.length - 1]!.offset;
  demand(last < until, () => `E2: ${where} lies above the window's end ${until}`);
  demand(collapsed, () => `E2: ${where} does not know that it is collapsed`);
  for (const one of period.unfinished) {
    if (one.offset >= last) break;
    const within = messages.includes(one);
    demand(within, () => `E2: ${where} overtakes ${one.offset} in a collapse`);
  }
}
