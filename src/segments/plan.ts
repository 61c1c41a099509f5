import { isSameSegmentation, type Segmentation } from "../metadata/segmentation.ts";
import type { TopicPartition } from "../types.ts";
import { mergePositions, type Position } from "./position.ts";
import { Problems } from "./problems.ts";
import { type GroupSnapshot, nameOf, type PartitionBounds, type Snapshot } from "./snapshot.ts";

/** What is known beside what was read. */
export interface PlanContext {
  readonly snapshot: Snapshot;
  readonly segmentation: Segmentation;
  readonly force: boolean;
}

/** One position to be written. */
export interface PlannedPosition {
  readonly group: GroupSnapshot;
  readonly at: TopicPartition;
  readonly position: Position;
}

/** What is to be written, and what forbids it. */
export interface Plan {
  readonly positions: readonly PlannedPosition[];
  readonly neverCommitted: readonly TopicPartition[];
  readonly problems: Problems;
}

/** Each segment gets the origin's position (S5). */
export function planDistribute(context: PlanContext): Plan {
  const { snapshot, segmentation, force } = context;
  const { origin, segments } = snapshot;
  const problems = commonProblems(context, [origin], [origin, ...segments]);
  const positions: PlannedPosition[] = [];
  const neverCommitted: TopicPartition[] = [];
  for (const at of snapshot.partitions) {
    const name = nameOf(at);
    const position = origin.positions.get(name);
    if (position === undefined) {
      neverCommitted.push(place(at));
      for (const group of segments) {
        const offset = group.positions.get(name)?.offset;
        if (offset === undefined) continue;
        problems.add("never-committed", `offset ${offset}`, { group, at, offset });
      }
      continue;
    }
    checkEnd(problems, origin, at, force);
    if (position.segmentation !== null) {
      addOther(problems, origin, at, position.segmentation);
    }
    for (const group of segments) {
      const offset = group.positions.get(name)?.offset;
      if (offset !== undefined && !force) {
        problems.add("existing-offset", `offset ${offset}`, { group, at, offset });
      }
      positions.push({ group, at: place(at), position: { ...position, segmentation } });
    }
  }
  return { positions, neverCommitted, problems };
}

/** The origin gets the lowest offset of the segments, with what all of them have done (S5). */
export function planCollapse(context: PlanContext): Plan {
  const { snapshot, force } = context;
  const { origin, segments } = snapshot;
  const problems = commonProblems(context, segments, [origin, ...segments]);
  checkSegmentations(problems, context);
  const positions: PlannedPosition[] = [];
  const neverCommitted: TopicPartition[] = [];
  for (const at of snapshot.partitions) {
    const known = segments.filter(({ positions: all }) => all.has(nameOf(at)));
    if (known.length === 0) {
      neverCommitted.push(place(at));
      continue;
    }
    if (!force) checkEqual(problems, segments, at);
    for (const group of known) checkEnd(problems, group, at, force);
    const from = known.map((group) => group.positions.get(nameOf(at))!);
    // A segment that never began is where the origin was left, if that is known: nothing is skipped.
    const left = origin.positions.get(nameOf(at));
    if (known.length < segments.length && left !== undefined) from.push(left);
    positions.push({ group: origin, at: place(at), position: mergePositions(from) });
  }
  return { positions, neverCommitted, problems };
}

/** Collapse, then distribute over what the segments have. */
export function planReset(context: PlanContext): Plan {
  const { segmentation, snapshot } = context;
  const { positions, neverCommitted, problems } = planCollapse(context);
  const distributed = snapshot.segments.flatMap((group) =>
    positions.map(({ at, position }) => ({ group, at, position: { ...position, segmentation } })),
  );
  return { positions: [...positions, ...distributed], neverCommitted, problems };
}

/**
 * @param from The groups whose offsets are read.
 * @param named All that must not run.
 */
function commonProblems(
  { snapshot }: PlanContext,
  from: readonly GroupSnapshot[],
  named: readonly GroupSnapshot[],
): Problems {
  const problems = new Problems();
  for (const topic of snapshot.missing) problems.add("missing-topic", "", { topic });
  for (const group of named) {
    if (group.state !== "running") continue;
    problems.add("running", `with ${group.members.join(", ") || "members"}`, { group });
  }
  const isKnown = from.some(({ state, positions }) => state !== "none" || positions.size > 0);
  const isMissing = snapshot.missing.length > 0;
  if (!isKnown && !(isMissing && snapshot.topics.length === 0)) {
    for (const group of from) problems.add("unknown-group", "without any offset", { group });
    return problems;
  }
  for (const topic of snapshot.topics) {
    const all = snapshot.partitions.filter((one) => one.topic === topic);
    const hasOffset = from.some(({ positions }) => all.some((at) => positions.has(nameOf(at))));
    if (hasOffset) continue;
    for (const group of from) problems.add("no-offset", "never committed", { group, topic });
  }
  return problems;
}

function checkSegmentations(
  problems: Problems,
  { snapshot, segmentation: asked }: PlanContext,
): void {
  let expected = asked;
  for (const group of snapshot.segments) {
    for (const at of snapshot.partitions) {
      const found = group.positions.get(nameOf(at))?.segmentation;
      if (found === null || found === undefined) continue;
      if (!isSameSegmentation(expected, found)) addOther(problems, group, at, found);
      // The first version that is known is what the others are compared with.
      else if (expected.version === "") expected = { ...expected, version: found.version };
    }
  }
}

function addOther(
  problems: Problems,
  group: GroupSnapshot,
  at: PartitionBounds,
  { count, version }: Segmentation,
): void {
  const named = version === null || version === "" ? "" : `, version "${version}"`;
  const offset = group.positions.get(nameOf(at))?.offset;
  const received = `offset ${offset} of ${count} segments${named}`;
  problems.add("other-segmentation", received, { group, at, offset });
}

function checkEqual(
  problems: Problems,
  segments: readonly GroupSnapshot[],
  at: PartitionBounds,
): void {
  const offsets = segments.map(({ positions }) => positions.get(nameOf(at))?.offset);
  if (offsets.every((offset) => offset === offsets[0])) return;
  segments.forEach((group, index) => {
    const offset = offsets[index];
    const received = offset === undefined ? "never committed" : `offset ${offset}`;
    problems.add("offsets-differ", received, { group, at, offset });
  });
}

function checkEnd(
  problems: Problems,
  group: GroupSnapshot,
  at: PartitionBounds,
  force: boolean,
): void {
  const offset = group.positions.get(nameOf(at))?.offset;
  if (force || offset === undefined || offset <= at.logEnd) return;
  problems.add("past-the-end", `offset ${offset} past ${at.logEnd}`, { group, at, offset });
}

function place({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}
