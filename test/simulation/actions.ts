/** What may happen in one step of a simulation. */
import type { PlannedOutcome } from "../../src/testing/memory-commits.ts";
import type { Member } from "./member.ts";
import type { SimLocation, World } from "./world.ts";

type Action = (world: World) => void | Promise<void>;

/** Each with its weight. An action that has nothing to act on does nothing. */
const ACTIONS: readonly (readonly [weight: number, act: Action])[] = [
  [6, produce],
  [12, deliver],
  [16, settleCall],
  [5, passTime],
  [1.2, revoke],
  [1.5, endSuspension],
  [4, assignFree],
  [0.3, lose],
  [1.5, failCommit],
  [1, releaseCommit],
  [0.7, pause],
  [1.5, resume],
  [1, changeConcurrency],
  [0.4, seek],
  [0.25, kill],
  [0.25, close],
  [1, join],
  [2, markLate],
  [0.5, commit],
  [0.4, checkCommits],
  [3, answerLetter],
  [1, leaveLock],
  [0.3, trim],
  [0.5, writeForeign],
  [0.1, mislead],
];

/** Makes one step. */
export async function act(world: World): Promise<void> {
  world.forgetOld();
  const [fenced] = world.fenced;
  if (fenced === undefined) return world.random.weighted(ACTIONS)(world);
  // The broker has thrown the member out: its client learns it now.
  world.fenced.delete(fenced);
  if (isHeld(world, fenced)) loseOne(world, fenced);
}

function isHeld(world: World, partition: SimLocation): boolean {
  return partition.moving === null && world.ownerOf(partition) !== undefined;
}

function heldPartition(world: World): SimLocation | undefined {
  const held = world.partitions.filter(
    (one) => isHeld(world, one) && world.ownerOf(one)?.model.closing === false,
  );
  return held.length === 0 ? undefined : world.random.pick(held);
}

function openMembers(world: World): Member[] {
  return world.members.filter((one) => !one.model.closing);
}

function produce(world: World): void {
  const { random } = world;
  const partition = random.pick(world.partitions);
  const { rules, topic, partition: index, records } = partition;
  if (random.chance(0.1)) {
    const count = random.integer(1, 3);
    world.memory.skip(topic, index, count);
    partition.logEnd += count;
  }
  const drawn = Array.from({ length: random.integer(1, 8) }, () => {
    const key = random.skewed(world.scenario.keys);
    return {
      key: key === 0 ? null : `k${key}`,
      poison: rules.poison && random.chance(0.05),
      toxic: random.chance(world.scenario.toxic),
      gap: random.chance(0.05) ? random.integer(1, 2) : 0,
    };
  });
  let next = partition.logEnd;
  const inputs = drawn.map(({ key, poison, toxic, gap }) => {
    const offset = next + gap;
    next = offset + 1;
    // Without virtual partitions all messages of a partition are in one order.
    const orderKey = rules.distribution === "single" ? "*" : (key ?? "null");
    records.push({ offset, key: orderKey, poison, toxic });
    return { key, value: poison ? "poison" : "fine", offset };
  });
  partition.logEnd = next;
  world.note(
    () => `produce ${partition.name} ${inputs.map((one) => one.offset + (one.key ?? "-"))}`,
  );
  world.memory.deliver(topic, index, inputs);
}

function deliver(world: World): void {
  const { random } = world;
  world.deliver(random.pick(world.partitions), random.integer(1, 8), random.chance(0.05));
}

function settleCall(world: World): void {
  const { random, pending } = world;
  if (pending.length === 0) return;
  const [one] = pending.splice(random.integer(0, pending.length - 1), 1);
  one!.settle(one!.member.handlers.drawResult(one!.call));
}

function passTime(world: World): Promise<void> {
  const ms = world.random.pick([1, 10, 50, 100, 100, 200, 400, 1000, 5000, 60_000]);
  world.note(() => `${ms} ms`);
  return world.settle(ms);
}

function revoke(world: World): void {
  const partition = heldPartition(world);
  if (partition === undefined) return;
  const keep = world.random.chance(0.5) ? [partition] : [];
  const slow = world.random.chance(0.5);
  const whileSuspended = (): Promise<void> =>
    slow ? new Promise((resolve) => world.suspensions.push(resolve)) : Promise.resolve();
  world.note(() => `revoke ${partition.name}${keep.length > 0 ? ", given back" : ""}`);
  world.move(partition, world.memory.revoke([partition], { keep, whileSuspended }));
}

async function endSuspension(world: World): Promise<void> {
  const { suspensions, random } = world;
  if (suspensions.length === 0) return;
  if (random.chance(0.5)) await settleSuspended(world);
  world.note(() => "the join answers");
  suspensions.splice(random.integer(0, suspensions.length - 1), 1)[0]!();
  await world.settle(0);
  // What was marked while nothing could be sent must be sent now, without another mark.
  if (random.chance(0.5)) await checkCommits(world);
}

/** Late calls end, and time passes, before the join answers. */
async function settleSuspended(world: World): Promise<void> {
  const { pending } = world;
  for (const one of pending.filter(({ call }) => call.period.state === "suspended")) {
    pending.splice(pending.indexOf(one), 1);
    one.settle("ok");
    await world.settle(0);
  }
  await world.settle(200);
}

function assignFree(world: World): void {
  const free = world.partitions.filter((one) => world.isFree(one));
  const members = openMembers(world);
  if (free.length === 0 || members.length === 0) return;
  world.assign(world.random.pick(free), world.random.pick(members));
}

function lose(world: World): void {
  const partition = heldPartition(world);
  if (partition !== undefined) loseOne(world, partition);
}

function loseOne(world: World, partition: SimLocation): void {
  world.note(() => `lose ${partition.name}`);
  world.move(partition, world.memory.lose([partition]));
}

function failCommit(world: World): void {
  const outcomes: (PlannedOutcome | "held")[] = [
    ...["retry", "hang", "stored-unknown", "not-now", "held", "held", "denied"],
    ...(world.random.chance(0.3) ? ["fenced"] : []),
  ] as (PlannedOutcome | "held")[];
  world.plannedCommits.push(world.random.pick(outcomes));
}

function releaseCommit(world: World): void {
  const { releases, random } = world;
  if (releases.length === 0) return;
  world.note(() => "a commit arrives");
  releases.splice(random.integer(0, releases.length - 1), 1)[0]!();
}

function pause(world: World): void {
  const member = world.members.length > 0 ? world.random.pick(world.members) : undefined;
  if (member !== undefined) world.pause(member, world.random.pick(world.partitions));
}

function resume(world: World): void {
  for (const member of world.members) {
    const [first] = member.model.paused;
    if (first !== undefined) world.resume(member, first);
  }
}

function changeConcurrency(world: World): void {
  if (world.members.length === 0) return;
  const { consumer, model } = world.random.pick(world.members);
  const concurrency = world.random.integer(1, 6);
  world.note(() => `concurrency of m${model.index} = ${concurrency}`);
  model.concurrency = concurrency;
  consumer.concurrency = concurrency;
}

function seek(world: World): void {
  if (world.members.length === 0) return;
  world.seek(world.random.pick(world.members), world.random.pick(world.partitions));
}

function kill(world: World): void {
  if (world.members.length > 0) world.kill(world.random.pick(world.members));
}

function close(world: World): void {
  const open = openMembers(world);
  if (open.length > 0) world.close(world.random.pick(open));
}

async function join(world: World): Promise<void> {
  if (openMembers(world).length < world.scenario.members) await world.startMember();
}

function markLate(world: World): void {
  if (world.kept.length > 0) world.mark(world.random.pick(world.kept));
}

function commit(world: World): void {
  if (world.members.length === 0) return;
  const { consumer, model } = world.random.pick(world.members);
  world.note(() => `commit m${model.index}`);
  world.ignore(consumer.commit());
}

/** O4: without faults, and with time, everything that is done gets stored, also when no work comes. */
async function checkCommits(world: World): Promise<void> {
  world.note(() => "time for all commits");
  world.plannedCommits.length = 0;
  for (const release of world.releases.splice(0)) release();
  for (let i = 0; i < 8; i++) await world.settle(1000);
  world.checkCommitted();
}

function answerLetter(world: World): void {
  world.note(() => "a letter goes on");
  world.letters.answerOne();
}

function leaveLock(world: World): void {
  const { locks, random } = world;
  if (locks.length > 0) locks.splice(random.integer(0, locks.length - 1), 1)[0]!();
}

/** Retention drops what lies below; what was polled stays in memory. */
function trim(world: World): void {
  const partition = world.random.pick(world.partitions);
  const { topic, partition: index, records, logStart, logEnd } = partition;
  const to = Math.min(logEnd, logStart + world.random.integer(1, 20));
  world.note(() => `trim ${partition.name} to ${to}`);
  world.memory.trim(topic, index, to);
  partition.logStart = to;
  const kept = records.filter(({ offset }) => offset >= to);
  records.splice(0, records.length, ...kept);
}

/** Another program writes the group's offset while nobody owns the partition: damage, nonsense, out of range. */
function writeForeign(world: World): void {
  const { random, memory, groupId } = world;
  const free = world.partitions.filter((one) => world.isFree(one) && one.committed !== null);
  if (free.length === 0) return;
  const partition = random.pick(free);
  const { topic, partition: index, logEnd, metadata } = partition;
  if (random.chance(0.2)) {
    const beyond = random.pick([-1, logEnd + 3]);
    partition.committed = beyond < 0 ? null : beyond;
    // Until somebody reads it, the log may have grown so far.
    partition.skippedBelow = Math.max(partition.skippedBelow, beyond);
    // Whoever starts anew starts at the log's start; what was done counts no more.
    partition.metadata = "";
  } else partition.metadata = random.pick(DAMAGES)(metadata, random.integer(0, metadata.length));
  const offset = partition.committed ?? -1;
  world.note(() => `foreign ${partition.name} ${offset} ${JSON.stringify(partition.metadata)}`);
  memory.setCommitted(groupId, topic, index, offset, partition.metadata);
}

const DAMAGES: readonly ((metadata: string, at: number) => string)[] = [
  () => "",
  () => "user text",
  () => "bmV2ZXIgd3JpdHRlbiBieSB1cw==",
  (metadata) => `${metadata}\u0000\u0000`,
  (metadata) => metadata.slice(0, -1),
  (metadata, at) => metadata.slice(0, at),
  (metadata, at) => `${metadata.slice(0, at)}\u0141${metadata.slice(at + 1)}`,
  (metadata, at) => metadata.slice(at) + metadata.slice(0, at),
];

/** A source that breaks its contract: the consumer must stop (R8), or drop what is no news. */
function mislead(world: World): void {
  const open = openMembers(world);
  if (open.length > 0) world.mislead(world.random.pick(open));
}
