import { FixedLanes } from "./fixed-lanes.ts";
import { KeyLanes } from "./key-lanes.ts";
import { PackedLanes } from "./packed-lanes.ts";

/**
 * A partition that is read with virtual partitions, in steps of one handler call each: every call takes the same time,
 * messages are polled as room is made, and `window` of them at most are polled and not done. No barrier between polls.
 */
export interface FlowModel {
  /** The next message of the partition, by the hash of its key and the virtual partition that a reducer gives it. */
  push(keyHash: number, virtualPartition: number): void;
  /** Steps from the first call to the last one's end. Nothing may be pushed afterwards. */
  finish(): number;
  /** Messages handled so far by each virtual partition. */
  readonly counts: Float64Array;
}

/** How messages come to virtual partitions. */
export type Distribution = "consistent" | "balanced" | "per-key";

/** All of them, in the order in which they are compared. */
export const DISTRIBUTIONS: readonly Distribution[] = ["consistent", "balanced", "per-key"];

/**
 * @param lanes Virtual partitions, each running one call at a time.
 * @param window Messages polled and not done, at most.
 */
export function flowModel(distribution: Distribution, lanes: number, window: number): FlowModel {
  switch (distribution) {
    case "consistent":
      return new FixedLanes(lanes, window);
    case "balanced":
      return new PackedLanes(lanes, window);
    case "per-key":
      return new KeyLanes(lanes, window);
  }
}
