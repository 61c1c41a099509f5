import type { Segmentation } from "../metadata/segmentation.ts";
import type { Admin } from "../source/source.ts";
import {
  type ResolvedSegmentsOptions,
  resolveSegmentsOptions,
  type SegmentsOptions,
} from "./offset-options.ts";
import { type Plan, type PlanContext, planCollapse, planDistribute, planReset } from "./plan.ts";
import type { SegmentsReport } from "./report.ts";
import { readSnapshot, type TopicsOf } from "./snapshot.ts";
import { requestsOf, writeRequests } from "./write-positions.ts";

interface Action {
  readonly name: SegmentsReport["action"];
  /** Completes "Cannot <act> as …". */
  readonly act: string;
  readonly topicsOf: TopicsOf;
  plan(context: PlanContext): Plan;
}

const DISTRIBUTE: Action = {
  name: "distribute",
  act: "distribute segments",
  topicsOf: "origin",
  plan: planDistribute,
};
const COLLAPSE: Action = {
  name: "collapse",
  act: "collapse segments",
  topicsOf: "segments",
  plan: planCollapse,
};
const RESET: Action = {
  name: "reset",
  act: "reset segments",
  topicsOf: "segments",
  plan: planReset,
};

/**
 * Gives every segment the position of the group that they come from: its offsets, and what it has done
 * above them (S5). The group itself is left as it is.
 *
 * Everything is read and checked before anything is written: a group that runs or is unknown, a topic
 * that does not exist, a segment that has an offset already. With `force` the segments' offsets are
 * overwritten: what they have done since is handled again, or where they were behind, is skipped.
 *
 * @throws {TypeError | RangeError} For a wrong option, naming it.
 * @throws {SegmentOffsetsError} Naming group, segment, topic#partition and offset; see `written`.
 * @throws {HeadraceError} When the source does not answer; nothing is changed then.
 * @example
 * const source = kafkajs({ brokers: ["127.0.0.1:9092"] });
 * await distributeSegments({ source, groupId: "billing", topics: ["orders"], count: 4 });
 */
export function distributeSegments(options: SegmentsOptions): Promise<SegmentsReport> {
  return move(DISTRIBUTE, options);
}

/**
 * Gives the group that the segments come from the lowest offset of theirs, with what all of them have
 * done above it (S5). The segments are left as they are.
 *
 * Refused when their offsets differ, unless forced. Nothing is lost by `force`; done twice is what a
 * segment has done above where the slowest one has read. A segment that has never committed counts as
 * being where the group was left, and not at all where the group has no offset either: what was its
 * share below the written offset is skipped then.
 *
 * @throws {TypeError | RangeError} For a wrong option, naming it.
 * @throws {SegmentOffsetsError} Naming group, segment, topic#partition and offset; see `written`.
 * @throws {HeadraceError} When the source does not answer; nothing is changed then.
 */
export function collapseSegments(options: SegmentsOptions): Promise<SegmentsReport> {
  return move(COLLAPSE, options);
}

/**
 * Collapses, then gives every segment the position that came out of it: all are at one offset again.
 *
 * @throws As `collapseSegments()`.
 */
export function resetSegments(options: SegmentsOptions): Promise<SegmentsReport> {
  return move(RESET, options);
}

async function move(action: Action, options: SegmentsOptions): Promise<SegmentsReport> {
  const resolved = resolveSegmentsOptions(action.act, options, true);
  const admin = resolved.source.admin();
  try {
    await admin.open();
    return await moveWith(admin, action, resolved);
  } finally {
    await admin.close();
  }
}

async function moveWith(
  admin: Admin,
  action: Action,
  { naming, topics, version, format, force, dryRun }: ResolvedSegmentsOptions,
): Promise<SegmentsReport> {
  const segmentation: Segmentation = { count: naming.count, version };
  const snapshot = await readSnapshot(admin, naming, topics, action.topicsOf);
  const { positions, neverCommitted, problems } = action.plan({ snapshot, segmentation, force });
  problems.throwIfAny(action.act);
  const byGroup = [snapshot.origin, ...snapshot.segments].flatMap((group) =>
    positions.filter((one) => one.group === group),
  );
  const requests = requestsOf(byGroup, format);
  if (!dryRun) await writeRequests(admin, requests, action.act);
  return {
    action: action.name,
    groupId: naming.origin,
    count: naming.count,
    mergeKey: naming.mergeKey,
    dryRun,
    force,
    offsets: requests.flatMap(({ entries }) => entries.map(({ told }) => told)),
    neverCommitted,
  };
}
