import type { PartitionKey } from "./types.ts";

/** What partitioners may answer (P1). */
export const PARTITIONER_RULE =
  "a partitioner must return string, number, bigint, bytes or null" as const;

/** The key as reducers get it (P1); undefined when the partitioner may not return this. */
export function partitionKeyOf(value: unknown): PartitionKey | undefined {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return value;
  return typeof value === "number" || typeof value === "bigint" ? String(value) : undefined;
}
