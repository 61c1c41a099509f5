import { GroupRunningError, HeadraceError } from "../errors.ts";
import type { Admin, OffsetToStore } from "../source/source.ts";
import type { PlannedPosition } from "./plan.ts";
import { type PositionFormat, writePosition } from "./position.ts";
import { groupName, SegmentOffsetsError } from "./problems.ts";
import type { SegmentOffset } from "./report.ts";
import { nameOf } from "./snapshot.ts";

/** Most offsets that a message lists; `written` has all. */
const LISTED = 8;

/** One request: a group's offsets in one topic. */
interface Request {
  readonly groupId: string;
  readonly topic: string;
  readonly entries: { readonly stored: OffsetToStore; readonly told: SegmentOffset }[];
}

/** Makes the metadata, in requests of one group and topic each, in the order of the plan. */
export function requestsOf(
  planned: readonly PlannedPosition[],
  format: PositionFormat,
): readonly Request[] {
  const requests: Request[] = [];
  for (const { group, at, position } of planned) {
    const { text, completed } = writePosition(position, format);
    const { groupId, segment } = group;
    const { offset } = position;
    const last = requests.at(-1);
    const goesOn = last?.groupId === groupId && last.topic === at.topic;
    const request = goesOn ? last : { groupId, topic: at.topic, entries: [] };
    if (!goesOn) requests.push(request);
    request.entries.push({
      stored: { partition: at.partition, offset, metadata: text },
      told: {
        groupId,
        segment,
        ...at,
        before: group.positions.get(nameOf(at))?.offset ?? null,
        offset,
        completed,
        dropped: position.completed.count - completed,
      },
    });
  }
  return requests;
}

/**
 * Writes request by request. That is not atomic over groups: the source refuses a group that has
 * started since it was read.
 *
 * @throws {SegmentOffsetsError} With what was written before the refusal.
 */
export async function writeRequests(
  admin: Admin,
  requests: readonly Request[],
  act: string,
): Promise<void> {
  const written: SegmentOffset[] = [];
  for (const { groupId, topic, entries } of requests) {
    try {
      await admin.commit(
        groupId,
        topic,
        entries.map(({ stored }) => stored),
      );
      written.push(...entries.map(({ told }) => told));
    } catch (cause) {
      const { told } = entries[0]!;
      const isWhole = cause instanceof GroupRunningError;
      if (!isWhole) written.push(...(await storedOf(admin, { groupId, topic, entries })));
      const rule = `${groupName(told)} must take its offsets in "${topic}"`;
      throw new SegmentOffsetsError(
        `Cannot ${act} as ${rule}: received a refusal after ${list(written)} was written`,
        { written, cause, retriable: HeadraceError.is(cause) && cause.retriable },
      );
    }
  }
}

/** What a request that failed has stored all the same: a source may take a part of it. */
async function storedOf(admin: Admin, request: Request): Promise<SegmentOffset[]> {
  try {
    const now = await admin.committed(request.groupId, request.topic);
    const isStored = ({ partition, offset, metadata }: OffsetToStore): boolean => {
      const found = now.find((one) => one.partition === partition);
      return found?.offset === offset && found.metadata === metadata;
    };
    return request.entries.filter(({ stored }) => isStored(stored)).map(({ told }) => told);
  } catch {
    // The source is gone: the refusal itself says more.
    return [];
  }
}

function list(written: readonly SegmentOffset[]): string {
  if (written.length === 0) return "nothing";
  const shown = written.slice(0, LISTED).map((told) => {
    return `${groupName(told)} ${nameOf(told)} offset ${told.offset}`;
  });
  const more = written.length - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(", ");
}
