import { createDistributor, type Distributor } from "./distribute/distributor.ts";
import { FinishedKeys } from "./distribute/finished-keys.ts";
import { errorInfo } from "./errors.ts";
import type { Events } from "./events.ts";
import { Grouper } from "./group/grouper.ts";
import { KeyShare } from "./group/key-share.ts";
import type { MemberFacts } from "./pipeline-host.ts";
import type { PolledBatch } from "./polled-batch.ts";
import type { ResolvedTopic } from "./resolve-topic.ts";
import type { PartitionLanes } from "./schedule/partition-lanes.ts";
import type { Deserializer } from "./types.ts";
import { Kernel, type Placement } from "./wasm/kernel.ts";

/**
 * The way of polled batches into lanes: group, distribute, schedule.
 *
 * A batch whose keys cannot be found becomes one ordered run (P2): it waits for all before it, and all after it wait
 * for it.
 */
export class Intake {
  /** Messages that wait behind an ordered run, not grouped yet. */
  waitingMessages = 0;
  /** First offset of what waits behind an ordered run; infinity when nothing does. */
  get firstWaitingOffset(): number {
    return this.#waiting[0]?.offsetAt(0) ?? Number.POSITIVE_INFINITY;
  }
  /** Share of the hottest key once it binds the partition (X3). */
  keyBoundShare: number | null = null;
  readonly #topic: ResolvedTopic;
  readonly #lanes: PartitionLanes;
  readonly #events: Events;
  readonly #grouper: Grouper;
  readonly #distributor: Distributor;
  /** null: placement does not depend on keys in flight. */
  readonly #finished: FinishedKeys | null;
  readonly #keyShare = new KeyShare();
  readonly #deserializer: Deserializer<unknown> | null;
  readonly #waiting: PolledBatch[] = [];
  #orderedRun = false;

  /** @param deserializer The handler's; the partitioner has the topic's. */
  constructor(
    topic: ResolvedTopic,
    deserializer: Deserializer<unknown> | null,
    lanes: PartitionLanes,
    { events, member }: { readonly events: Events; readonly member: MemberFacts },
  ) {
    const kernel = new Kernel();
    this.#deserializer = deserializer;
    this.#topic = topic;
    this.#lanes = lanes;
    this.#events = events;
    this.#grouper = new Grouper(
      kernel,
      topic.partitioner,
      topic.reducer !== null,
      member.segment !== null,
    );
    const { distribution } = topic;
    const placesKeys = distribution === "balanced" || distribution === "per-key";
    this.#finished = placesKeys ? new FinishedKeys() : null;
    this.#distributor = createDistributor(kernel, topic, this.#finished);
  }

  add(batch: PolledBatch): void {
    this.#waiting.push(batch);
    this.waitingMessages += batch.count;
    if (this.#events.has("polled")) this.#events.emit("polled", batch.range());
    this.admit(batch.polledAtMs);
  }

  /** Moves batches into lanes, as far as an ordered run lets them. */
  admit(nowMs: number): void {
    for (;;) {
      const batch = this.#waiting[0];
      if (batch === undefined) return;
      if (this.#orderedRun && this.#lanes.length > 0) return;
      this.#orderedRun = false;
      if (!batch.ordered && this.#distribute(batch, nowMs)) continue;
      batch.ordered = true;
      if (this.#lanes.length > 0) return;
      this.#orderedRun = true;
      this.#leaveWaiting();
      batch.order = Uint32Array.from({ length: batch.count }, (_, index) => index);
      batch.deserializer = this.#deserializer;
      this.#lanes.addOrdered(batch, nowMs);
    }
  }

  /** A message's call has ended: its key may be in flight no longer (H6). */
  finished(batch: PolledBatch, index: number): void {
    if (this.#finished !== null && !batch.ordered) this.#finished.push(batch.hashes[index]!);
  }

  /** @returns false when the batch must be handled as one ordered run. */
  #distribute(batch: PolledBatch, nowMs: number): boolean {
    const placement = this.#place(batch);
    if (placement === null) return false;
    this.#watchKeys(batch);
    batch.order = placement.order.slice(0, batch.count);
    if (this.#topic.distribution !== "per-key") {
      batch.lanes = placement.lanes.slice(0, placement.groupCount);
      batch.laneStarts = placement.starts.slice(0, placement.groupCount + 1);
    }
    this.#leaveWaiting();
    batch.deserializer = this.#deserializer;
    this.#lanes.add(batch, placement, nowMs);
    if (this.#events.has("distributed")) {
      this.#events.emit("distributed", { ...batch.range(), lanes: placement.groupCount });
    }
    return true;
  }

  #place(batch: PolledBatch): Placement | null {
    const single = this.#topic.distribution === "single";
    if (single) batch.hashes = new Uint32Array(batch.count);
    const failure = single ? null : this.#grouper.group(batch);
    const placement =
      failure ?? this.#distributor.distribute(batch, this.#grouper.keys, this.#lanes);
    if (!("error" in placement)) return placement;
    const { index, error, ...value } = placement;
    this.#events.emit("partitionerFailed", {
      topic: batch.topic,
      partition: batch.partition,
      offset: batch.offsetAt(index),
      error: errorInfo(error),
      ...value,
    });
    return null;
  }

  /** X3: once per lease, when one key has nearly everything. */
  #watchKeys(batch: PolledBatch): void {
    if (this.#topic.distribution === "single") return;
    const share = this.#keyShare.add(batch.hashes);
    if (share === null) return;
    this.keyBoundShare = share;
    const { topic, partition } = batch;
    this.#events.emit("keyBound", { topic, partition, share });
  }

  #leaveWaiting(): void {
    this.waitingMessages -= this.#waiting.shift()!.count;
  }
}
