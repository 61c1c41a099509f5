import { assignRange } from "./assign-range.ts";
import { assignRoundRobin } from "./assign-round-robin.ts";
import { assignSticky } from "./assign-sticky.ts";
import type { Assignor } from "./assignor.ts";

/**
 * How a group's partitions are shared among its members.
 *
 * `sticky`: balanced with as few moves as possible; only partitions that move are revoked (Kafka's
 * cooperative protocol). `range` and `round-robin` as in Kafka: at each rebalance all partitions are
 * revoked and drained, and those that come back to their member go on (Kafka's eager protocol).
 */
export type AssignorName = "range" | "round-robin" | "sticky";

/** What a name stands for. */
export interface AssignorRule {
  readonly assign: Assignor;
  /** Only partitions that move are revoked; otherwise all of them are. */
  readonly incremental: boolean;
}

export const assignors: Readonly<Record<AssignorName, AssignorRule>> = {
  range: { assign: assignRange, incremental: false },
  "round-robin": { assign: assignRoundRobin, incremental: false },
  sticky: { assign: assignSticky, incremental: true },
};
