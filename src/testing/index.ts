/** For tests of programs that use headrace: a source in memory and a clock under control. */
export { type FakeClock, type FakeClockOptions, fakeClock } from "./fake-clock.ts";
export type {
  CommitAttempt,
  CommitHook,
  MemoryCommit,
  PlannedOutcome,
} from "./memory-commits.ts";
export type { StepOptions } from "./memory-lease.ts";
export type { MemoryRecordInput } from "./memory-log.ts";
export {
  type MemorySource,
  type MemorySourceOptions,
  memorySource,
  type RevokeOptions,
} from "./memory-source.ts";
