import type { AssignedLease } from "./source/source.ts";

/** Where a lease starts, and why. */
export interface StartOffset {
  readonly offset: number;
  /** The broker has this offset already. */
  readonly stored: boolean;
  /** The committed offset lies outside the log (O11). */
  readonly reset: { readonly from: number; readonly reason: string } | null;
}

/** Start of a lease by rules O10 and O11; null when `onOutOfRange` is "error". */
export function startOffsetOf(
  assigned: AssignedLease,
  options: { fromBeginning: boolean; onOutOfRange: "earliest" | "latest" | "error" },
): StartOffset | null {
  const { committed, logStart, logEnd } = assigned;
  if (committed === null || committed.offset < 0) {
    const earliest = options.fromBeginning || assigned.groupKnowsTopic;
    return { offset: earliest ? logStart : logEnd, stored: false, reset: null };
  }
  const { offset } = committed;
  if (offset >= logStart && offset <= logEnd) return { offset, stored: true, reset: null };
  if (options.onOutOfRange === "error") return null;
  const reason = `the committed offset lies outside the log (${logStart} to ${logEnd})`;
  const to = options.onOutOfRange === "earliest" ? logStart : logEnd;
  return { offset: to, stored: false, reset: { from: offset, reason } };
}
