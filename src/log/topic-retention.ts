import { join } from "node:path";
import process from "node:process";
import { type ErrorInfo, errorInfo } from "../errors.ts";
import type { Clock } from "../types.ts";
import { archiveSegment } from "./archive.ts";
import { readGroupPositions } from "./group-positions.ts";
import type { LogEventHub, RetentionBlocked } from "./log-events.ts";
import type { PartitionLog } from "./partition-log.ts";
import {
  type Hold,
  type PartitionFacts,
  planRetention,
  type RetentionPlan,
} from "./retention-plan.ts";
import type { SealedSegment } from "./sealed-segment.ts";
import type { TopicLog } from "./topic-log.ts";
import type { ArchivedSegment } from "./topic-options.ts";

/** Wait before a partition where something failed is tried again; doubled with each failure. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;

/** A segment that was removed, or would be. */
export type RemovedSegment = ArchivedSegment;

/** A segment that could not be archived or removed, and is tried again. */
export interface FailedSegment {
  readonly topic: string;
  readonly partition: number;
  /** Path of the `.log`. */
  readonly file: string;
  readonly error: ErrorInfo;
}

/** What retention has done. */
export interface RetainReport {
  /** In the order of removal. */
  readonly removed: RemovedSegment[];
  /** Groups for whose sake segments stay. */
  readonly held: RetentionBlocked[];
  readonly failed: FailedSegment[];
}

/** What retention needs of the log. */
export interface RetentionHost {
  readonly clock: Clock;
  readonly events: LogEventHub;
  /** Asked before anything is removed: false when the topic may not be written any more. */
  mayWrite(topic: TopicLog): boolean;
}

/** An empty report. */
export function newReport(): RetainReport {
  return { removed: [], held: [], failed: [] };
}

/** Retention of one topic. One run at a time. */
export class TopicRetention {
  readonly #topic: TopicLog;
  readonly #host: RetentionHost;
  /** By partition: the hold that was told last, so that each standstill is told once. */
  readonly #told = new Map<number, string>();
  /** By partition: when the wait after failures is over (monotonic), and how many there were. */
  readonly #failures = new Map<number, { readonly count: number; readonly retryAtMs: number }>();
  /** Archived and still to be removed. */
  readonly #archived = new WeakSet<SealedSegment>();

  constructor(topic: TopicLog, host: RetentionHost) {
    this.#topic = topic;
    this.#host = host;
  }

  /**
   * Removes what is over, as far as it can.
   *
   * @param eager Also where the wait after a failure is not over.
   */
  async run(eager: boolean): Promise<RetainReport> {
    const report = newReport();
    if (eager) this.#failures.clear();
    // Decided anew after each wait: groups go on, and go back.
    while (await this.#step(report));
    return report;
  }

  /** What a run would remove now. */
  foresee(): RetainReport {
    const { removals, holds } = this.#plan();
    const removed = removals.map(({ partition, segment }) => {
      const found = this.#partition(partition).sealed.find(
        ({ baseOffset }) => baseOffset === segment.baseOffset,
      );
      return this.#describe(partition, found!);
    });
    return { removed, held: this.#named(holds), failed: [] };
  }

  /** @returns true when there may be more to do. */
  async #step(report: RetainReport): Promise<boolean> {
    const plan = this.#plan();
    const held = this.#named(plan.holds);
    report.held.splice(0, report.held.length, ...held);
    this.#tell(held);
    const nowMs = this.#host.clock.now();
    const due = plan.removals.filter(
      ({ partition }) => nowMs >= (this.#failures.get(partition)?.retryAtMs ?? nowMs),
    );
    for (const { partition } of due) {
      if (!this.#host.mayWrite(this.#topic)) return false;
      const segment = this.#partition(partition).sealed[0];
      if (segment === undefined) return true;
      const waits = await this.#removeOne(partition, segment, report);
      if (waits) return true;
      // Other work goes on between two removals.
      await new Promise<void>((resolve) => this.#host.clock.defer(resolve));
    }
    return false;
  }

  /** @returns true when the plan is stale: something took its time, or failed. */
  async #removeOne(
    partition: number,
    segment: SealedSegment,
    report: RetainReport,
  ): Promise<boolean> {
    const described = this.#describe(partition, segment);
    const archive = this.#topic.options.retention?.archive ?? null;
    try {
      if (archive !== null && !this.#archived.has(segment)) {
        await archiveSegment(archive, described, this.#topic.directory);
        this.#archived.add(segment);
        return true;
      }
      this.#partition(partition).dropOldest();
    } catch (error) {
      this.#failed(described, error, report);
      return true;
    }
    this.#failures.delete(partition);
    report.removed.push(described);
    return false;
  }

  #plan(): RetentionPlan {
    const { options, partitions, directory } = this.#topic;
    if (options.retention === null) return { removals: [], holds: [] };
    const nowMs = this.#host.clock.wallTime();
    return planRetention(
      options.retention,
      partitions.map(factsOf),
      (wanted) => readGroupPositions(join(directory, "groups"), wanted, nowMs),
      nowMs,
    );
  }

  #tell(held: readonly RetentionBlocked[]): void {
    const before = new Map(this.#told);
    this.#told.clear();
    for (const one of held) {
      const standstill = `${one.offset} ${one.groupId}`;
      this.#told.set(one.partition, standstill);
      if (before.get(one.partition) === standstill) continue;
      this.#host.events.emit("retentionBlocked", one);
    }
  }

  #failed({ topic, partition, file }: RemovedSegment, error: unknown, report: RetainReport): void {
    const count = (this.#failures.get(partition)?.count ?? 0) + 1;
    const waitMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (count - 1));
    this.#failures.set(partition, { count, retryAtMs: this.#host.clock.now() + waitMs });
    report.failed.push({ topic, partition, file, error: errorInfo(error) });
    const heard = this.#host.events.emit("retentionFailed", { topic, partition, file, error });
    // A disk that fills up must not be a secret.
    if (!heard && count === 1) {
      process.emitWarning(`Retention of the log cannot remove ${file}: ${String(error)}`);
    }
  }

  #named(holds: readonly Hold[]): RetentionBlocked[] {
    return holds.map((hold) => ({ topic: this.#topic.name, ...hold }));
  }

  #describe(partition: number, segment: SealedSegment): RemovedSegment {
    const { path: file, baseOffset, nextOffset, summary } = segment;
    const { name: topic } = this.#topic;
    return { topic, partition, file, bytes: summary.logBytes, baseOffset, nextOffset };
  }

  #partition(partition: number): PartitionLog {
    return this.#topic.partitions[partition]!;
  }
}

function factsOf({ place, sealed, bytes }: PartitionLog): PartitionFacts {
  const facts = sealed.map(({ baseOffset, nextOffset, summary }) => {
    const { logBytes, lastAppendTimeUs } = summary;
    return { baseOffset, nextOffset, logBytes, lastAppendTimeUs };
  });
  const sealedBytes = facts.reduce((sum, { logBytes }) => sum + logBytes, 0);
  return { partition: place.partition, sealed: facts, activeBytes: bytes - sealedBytes };
}
