import { FencedError } from "../errors.ts";
import type { SegmentInfo } from "../types.ts";
import { COLLAPSED, DRAINING, ENDED, FAILING } from "../worker/frames.ts";
import type {
  HostedCall,
  HostedLease,
  MessagePlace,
  ReturnedRecord,
} from "../worker/host/hosted-call.ts";
import type { WorkerHandler } from "../worker/host/worker-pool.ts";
import type { ProcessListener } from "./processor.ts";
import type { RemoteCall } from "./remote-call.ts";

/** A lease as worker threads know it: what they are told of it, and what their calls want of it. */
export class RemoteLease implements HostedLease {
  readonly id: number;
  readonly module: number;
  readonly topic: string;
  readonly partition: number;
  readonly groupId: string;
  readonly segment: SegmentInfo | undefined;
  readonly offsetMetadata: string | null;
  readonly #listener: ProcessListener;

  constructor(
    listener: ProcessListener,
    { pool, module }: WorkerHandler,
    { topic, partition }: { readonly topic: string; readonly partition: number },
  ) {
    this.#listener = listener;
    this.id = pool.nextLeaseId();
    this.module = module;
    this.topic = topic;
    this.partition = partition;
    this.groupId = listener.groupId;
    this.segment = listener.segment;
    this.offsetMetadata = listener.offsetMetadata;
  }

  get flags(): number {
    const { draining, failing, collapsed, ended } = this.#listener;
    return (
      (draining ? DRAINING : 0) |
      (failing ? FAILING : 0) |
      (collapsed ? COLLAPSED : 0) |
      (ended ? ENDED : 0)
    );
  }

  mark(place: MessagePlace, call: HostedCall | null, text: string | null): void {
    this.#listener.markPlace(place, call as RemoteCall | null, text ?? undefined);
  }
  attachText(offset: number, text: string): void {
    this.#listener.attachText(offset, text);
  }
  collapseUntil(offset: number): void {
    this.#listener.collapseUntil(offset);
  }
  pauseFor(ms: number): void {
    this.#listener.pauseFor(ms);
  }
  synchronize(fn: () => Promise<void>): Promise<void> {
    return this.#listener.synchronize(fn);
  }

  async deadLetter(
    call: HostedCall,
    place: MessagePlace,
    reason: string,
    record: ReturnedRecord | null,
  ): Promise<void> {
    const remote = call as RemoteCall;
    const found = record === null ? remote.find(place.offset) : this.#listener.copy(place, record);
    if (found === null) {
      const where = `${this.topic}#${this.partition}@${place.offset}`;
      throw new FencedError(`Cannot dead-letter as the call must have it: received ${where}`);
    }
    await this.#listener.deadLetter(found.batch, found.index, remote, reason);
  }
}
