/** The end of a run: no more faults, and everything that was produced must be handled and committed. */
import { demand, Violation } from "./demand.ts";
import type { SimLocation, World } from "./world.ts";

/** The end must come within this many rounds. */
const MAX_FINAL_ROUNDS = 400;

/** Runs a world to its end. */
export async function finish(world: World): Promise<void> {
  world.note(() => "calm");
  world.calm = true;
  world.plannedCommits.length = 0;
  for (let round = 0; round < MAX_FINAL_ROUNDS; round++) {
    await makeProgress(world);
    if (isDone(world)) return closeAll(world);
  }
  const late = world.partitions.find((one) => !isCommitted(one));
  const why = world.members.map((member) => JSON.stringify(member.consumer.explain())).join(" ");
  const state = late === undefined ? "calls do not end" : `${late.name} ${late.committed}`;
  throw new Violation(`7: never done: ${state} of ${late?.logEnd}: ${why}`);
}

async function makeProgress(world: World): Promise<void> {
  for (const act of world.releases.splice(0)) act();
  for (const act of world.suspensions.splice(0)) act();
  for (const act of world.locks.splice(0)) act();
  world.letters.answerAll();
  await world.settle(0);
  // One by one: a consumer learns of them one by one.
  for (const { settle, member, call } of world.pending.splice(0)) {
    settle(member.handlers.drawResult(call));
    await world.settle(0);
  }
  const lost = [...world.fenced].filter((one) => world.ownerOf(one));
  world.fenced.clear();
  if (lost.length > 0) world.ignore(world.memory.lose(lost));
  if (!world.members.some((one) => !one.model.closing)) await world.startMember();
  const owner = world.members.find((one) => !one.model.closing)!;
  for (const partition of world.partitions) {
    for (const member of world.members) {
      if (member.model.paused.has(partition)) world.resume(member, partition);
    }
    if (world.isFree(partition)) world.assign(partition, owner);
    while (world.deliver(partition, 6) > 0);
  }
  for (const one of world.kept.splice(0)) if (one.call.period.rules.manual) world.mark(one);
  await world.settle(0);
  await world.settle(200);
}

function isCommitted({ committed, logEnd }: SimLocation): boolean {
  return committed === logEnd;
}

function isDone({ partitions, pending, members }: World): boolean {
  if (pending.length > 0 || members.some((one) => one.model.closing)) return false;
  return partitions.every((one) => one.moving === null && isCommitted(one));
}

async function closeAll(world: World): Promise<void> {
  for (const member of [...world.members]) world.close(member);
  await world.settle(30_000);
  demand(world.members.length === 0, () => "R4: a consumer does not close");
  for (const partition of world.partitions) explainAll(partition);
}

/** Invariant 2, over all: every message was done by somebody, or a seek or a reset has passed it. */
function explainAll({ name, records, everDone, skippedBelow }: SimLocation): void {
  for (const { offset } of records) {
    const explained = everDone.has(offset) || offset < skippedBelow;
    demand(explained, () => `2: nobody has done ${name} ${offset}`);
  }
}
