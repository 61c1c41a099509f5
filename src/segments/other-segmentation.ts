import { SegmentError } from "../errors.ts";
import type { Segmentation } from "../metadata/segmentation.ts";

/** S8: a group's offset was committed by segments that share messages out in another way. */
export function otherSegmentation(
  groupId: string,
  where: string,
  own: Segmentation,
  found: Segmentation,
): SegmentError {
  const rule = `its segmentation must be the one of the offsets, ${nameOf(own)}`;
  return new SegmentError(
    `Cannot run segment group "${groupId}" as ${rule}: received ${nameOf(found)} at ${where}`,
  );
}

function nameOf({ count, version }: Segmentation): string {
  return `count ${count} ${version === null ? "without version" : `version "${version}"`}`;
}
