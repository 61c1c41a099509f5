/** What crosses the border between a member's consumer and its source, told to the checker. */
import type {
  Lease,
  Source,
  SourceBatch,
  SourceFactory,
  SourceListener,
} from "../../src/source/source.ts";
import { demand } from "./demand.ts";
import type { Member } from "./member.ts";
import { nameOf } from "./name-of.ts";
import type { Period } from "./period.ts";
import type { World } from "./world.ts";

export class Border {
  readonly #world: World;
  readonly #member: Member;
  readonly #leases = new Map<Lease, Period>();
  /** Deliveries beyond the budget that were on their way (F1). */
  #lateMessages = 0;
  #largestDelivery = 0;
  /** The listener of the consumer, and the last batch it got. */
  #listener: SourceListener | null = null;
  #lastBatch: SourceBatch | null = null;

  constructor(world: World, member: Member) {
    this.#world = world;
    this.#member = member;
  }

  /** What a lease in this member's hands looks like to the checker. */
  periods(): Period[] {
    return [...this.#leases.values()].filter((period) => period.state !== "ended");
  }

  source(): SourceFactory {
    const { source } = this.#world.memory;
    return {
      open: (group) => {
        const inner = source.open(group);
        return { ...this.#commands(inner), can: inner.can };
      },
      sink: () => this.#world.letters.sink(this.#member, source.sink!()),
    };
  }

  /** The process is gone; what it held in this one must go too, or every run would leave it behind (R6). */
  die(): void {
    const live = [...this.#leases].filter(([, period]) => period.state !== "ended");
    for (const [, period] of live) this.#world.checker.end(period);
    this.#listener?.lost(live.map(([lease]) => lease));
  }

  expectLate(): void {
    this.#lateMessages += 1;
  }

  /** The period of the last batch; null when there is none that could be handed over twice. */
  lastPeriod(): Period | null {
    const batch = this.#lastBatch;
    if (batch === null || batch.records.count === 0) return null;
    const period = this.#leases.get(batch.lease)!;
    return period.state !== "ended" && period.nextOffset < batch.nextOffset ? null : period;
  }

  /** Hands the last batch over once more. */
  repeatBatch(): void {
    void this.#listener!.deliver(this.#lastBatch!);
  }

  get #index(): number {
    return this.#member.model.index;
  }

  #commands(inner: Source): Omit<Source, "can"> {
    const { checker } = this.#world;
    return {
      start: (listener) => inner.start(this.#wrap(listener)),
      stop: (how) => {
        for (const period of this.periods()) checker.end(period);
        return inner.stop(how);
      },
      pause: (lease) => inner.pause(lease),
      resume: (lease) => inner.resume(lease),
      seek: (lease, offset) => {
        this.#leases.set(lease, checker.sought(this.#leases.get(lease)!, offset));
        inner.seek(lease, offset);
      },
      commit: (entries, signal) => this.#commit(inner, entries, signal),
    };
  }

  async #commit(
    inner: Source,
    ...[entries, signal]: Parameters<Source["commit"]>
  ): ReturnType<Source["commit"]> {
    const world = this.#world;
    const { checker, guard } = world;
    const periods = entries.map(({ lease }) => this.#leases.get(lease)!);
    for (const [i, { lease, offset, metadata }] of this.#member.dead ? [] : entries.entries()) {
      world.note(
        () => `  m${this.#index} commits ${nameOf(lease)} ${offset} ${metadata.length} units`,
      );
      guard(() => checker.commitSent(periods[i]!, offset, metadata));
    }
    const outcomes = await inner.commit(entries, signal);
    world.note(() => `  m${this.#index} is answered ${outcomes.join(", ")}`);
    for (const [i, period] of periods.entries()) {
      checker.commitAnswered(period, outcomes[i]!, entries[i]!.metadata);
    }
    return outcomes;
  }

  #wrap(inner: SourceListener): SourceListener {
    const { checker, guard } = this.#world;
    this.#listener = inner;
    const periodsOf = (leases: readonly Lease[]): Period[] =>
      leases.map((lease) => this.#leases.get(lease)!);
    const end = (leases: readonly Lease[]): void => {
      for (const period of periodsOf(leases)) checker.end(period);
    };
    return {
      assigned: (leases) => {
        const starts = inner.assigned(leases);
        for (const [i, { lease, committed }] of leases.entries()) {
          const partition = this.#world.partition(lease);
          guard(() => {
            const stored = committed?.offset ?? null;
            demand(stored === partition.committed, () => `${partition.name}: wrong offset read`);
            this.#leases.set(lease, checker.assigned(this.#index, partition, starts[i]!));
          });
        }
        return starts;
      },
      revoking: (leases, deadlineMs) => {
        const periods = periodsOf(leases);
        for (const period of periods) checker.drain(period);
        return inner.revoking(leases, deadlineMs).then(() => {
          for (const one of periods) if (one.state === "draining") one.state = "suspended";
        });
      },
      joined: (kept, ended) => {
        end(ended);
        for (const period of periodsOf(kept)) checker.continue(period);
        inner.joined(kept, ended);
      },
      lost: (leases) => {
        end(leases);
        inner.lost(leases);
      },
      deliver: (batch) => this.#deliver(inner, batch),
      advanced: (lease, nextOffset) => {
        checker.advanced(this.#leases.get(lease)!, nextOffset);
        inner.advanced(lease, nextOffset);
      },
      failed: (error, fatal) => inner.failed(error, fatal),
    };
  }

  #deliver(inner: SourceListener, batch: SourceBatch): void | Promise<void> {
    const { records, lease, nextOffset } = batch;
    const offsets = Array.from(
      { length: records.count },
      (_, i) => records.baseOffset + (records.offsetDeltas?.[i] ?? i),
    );
    this.#lastBatch = batch;
    this.#world.checker.delivered(this.#leases.get(lease)!, offsets, nextOffset);
    this.#largestDelivery = Math.max(this.#largestDelivery, offsets.length);
    this.#world.guard(() => this.#checkBudget());
    return inner.deliver(batch);
  }

  /**
   * Invariant 5: the budget, and one delivery per partition.
   *
   * A partition that joins takes half of its share from others that were within theirs, hence the factor.
   */
  #checkBudget(): void {
    const { maxInFlightMessages } = this.#world.scenario;
    const periods = this.periods();
    const held = periods.reduce((sum, period) => sum + period.unfinished.length, 0);
    const late = this.#lateMessages * this.#largestDelivery;
    if (held <= maxInFlightMessages / 2) this.#lateMessages = 0;
    const common = periods.length > 1 ? 1.6 : 1;
    const most = maxInFlightMessages * common + periods.length * this.#largestDelivery + late;
    demand(held <= most, () => `5: m${this.#index} holds ${held} messages, above ${most}`);
  }
}
