import { type Hook, Instances } from "../../instances.ts";
import type { Deserializer, SegmentInfo, VirtualPartitionConsumer } from "../../types.ts";
import { COLLAPSED, DRAINING, ENDED, FAILING } from "../frames.ts";
import type { LoadedModule } from "../load-module.ts";

/** A lease as a frame describes it. */
export interface LeaseFacts {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  readonly groupId: string;
  readonly segment: SegmentInfo | undefined;
  readonly offsetMetadata: string | null;
}

/** A lease whose calls run in this thread, and its long-lived consumers here (C1). */
export class ThreadLease implements LeaseFacts {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  readonly groupId: string;
  readonly segment: SegmentInfo | undefined;
  readonly offsetMetadata: string | null;
  readonly module: LoadedModule;
  /** What the polling thread said of it last. */
  flags = 0;
  readonly #instances: Instances;
  readonly #hookErrors: unknown[] = [];

  constructor(facts: LeaseFacts, module: LoadedModule) {
    const { id, topic, partition, groupId, segment, offsetMetadata } = facts;
    this.id = id;
    this.topic = topic;
    this.partition = partition;
    this.groupId = groupId;
    this.segment = segment;
    this.offsetMetadata = offsetMetadata;
    this.module = module;
    this.#instances = new Instances(
      module.handler,
      { topic, partition, groupId, segment },
      (_hook, error) => {
        this.#hookErrors.push(error);
      },
    );
  }

  get deserializer(): Deserializer<unknown> | null {
    return this.module.deserializer;
  }
  get draining(): boolean {
    return (this.flags & DRAINING) !== 0;
  }
  get failing(): boolean {
    return (this.flags & FAILING) !== 0;
  }
  get collapsed(): boolean {
    return (this.flags & COLLAPSED) !== 0;
  }
  get ended(): boolean {
    return (this.flags & ENDED) !== 0;
  }
  get hasInstances(): boolean {
    return this.#instances.size > 0;
  }

  /** The consumer of a virtual partition, made on first use. */
  instance(virtualPartition: number): VirtualPartitionConsumer {
    return this.#instances.of(virtualPartition);
  }

  /** Runs a hook once on each instance; answers what they threw. */
  async run(hook: Hook): Promise<unknown[]> {
    await this.#instances.run(hook);
    return this.#hookErrors.splice(0);
  }
}
