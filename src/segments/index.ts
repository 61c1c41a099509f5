/**
 * Offsets of parallel segments: `import { distributeSegments } from "headrace/segments"`.
 *
 * @module
 */
export { collapseSegments, distributeSegments, resetSegments } from "./move-segments.ts";
export type { SegmentsOptions, SegmentsStatusOptions } from "./offset-options.ts";
export { SegmentOffsetsError, type SegmentProblem, type SegmentProblemCode } from "./problems.ts";
export type { SegmentOffset, SegmentsReport } from "./report.ts";
export {
  type SegmentGroupStatus,
  type SegmentPositionStatus,
  type SegmentsPartitionStatus,
  type SegmentsStatus,
  segmentsStatus,
} from "./status.ts";
