import type { Hook } from "../../instances.ts";
import { invariant } from "../../invariant.ts";
import type { CallMessages, ChannelEnd, MessageReader } from "../channel.ts";
import { errorFromText } from "../error-text.ts";
import type { FrameReader } from "../frame-reader.ts";
import { ABORT, ANSWER, CALL, ENDED, HOOK, LEASE, LEASE_STATE } from "../frames.ts";
import type { LoadedModule } from "../load-module.ts";
import { CallQueue } from "./call-queue.ts";
import { type CallHost, ThreadBatch, ThreadCall } from "./thread-call.ts";
import { ThreadLease } from "./thread-lease.ts";
import { ThreadLink } from "./thread-link.ts";

/** The codec of messages on this side. */
export interface MessageCodec {
  readonly reader: MessageReader;
  readonly find: (message: object) => { messages: CallMessages; index: number } | undefined;
}

/** A worker thread's end of its channel: reads frames, runs calls, answers. */
export class ThreadEnd implements CallHost {
  readonly link: ThreadLink;
  readonly maxTextLength: number;
  readonly #end: ChannelEnd;
  readonly #modules: readonly LoadedModule[];
  readonly #codec: MessageCodec;
  readonly #leases = new Map<number, ThreadLease>();
  readonly #queue: CallQueue;

  constructor(
    end: ChannelEnd,
    words: Int32Array,
    modules: readonly LoadedModule[],
    maxTextLength: number,
    codec: MessageCodec,
  ) {
    this.#end = end;
    this.#modules = modules;
    this.#codec = codec;
    this.maxTextLength = maxTextLength;
    this.link = new ThreadLink(end, (frame) => this.#read(frame));
    this.#queue = new CallQueue(this.link, words);
  }

  /** @returns Settles when the polling thread has closed the channel. */
  run(): Promise<void> {
    return this.#end.listen({
      onFrame: (frame) => this.#read(frame),
      afterBatch: () => this.#queue.run(),
    });
  }

  origin(message: object): { call: ThreadCall; index: number } | undefined {
    const found = this.#codec.find(message);
    if (found === undefined) return undefined;
    return { call: found.messages.origin as ThreadCall, index: found.index };
  }

  #read(frame: FrameReader): void {
    switch (frame.kind) {
      case CALL:
        this.#call(frame);
        return;
      case ABORT:
        this.#abort(frame);
        return;
      case LEASE:
        this.#lease(frame);
        return;
      case LEASE_STATE:
        this.#leaseState(frame);
        return;
      case HOOK:
        this.#hook(frame);
        return;
      case ANSWER: {
        const question = frame.u32();
        const error = frame.optionalText();
        this.link.answered(question, error === null ? undefined : errorFromText(error));
        return;
      }
      default:
        invariant(false, `a worker thread knows the kinds of its frames, ${frame.kind} too`);
    }
  }

  #call(frame: FrameReader): void {
    const id = frame.u32();
    const lease = this.#leases.get(frame.u32());
    invariant(lease !== undefined, "a call names a lease that its thread has been told of");
    const virtualPartition = frame.u32();
    const attempt = frame.u32();
    lease.flags = frame.u32();
    const laneKey = frame.f64();
    const lag = frame.f64();
    const facts = { id, virtualPartition, attempt, laneKey };
    const { form } = lease.module.handler;
    const call =
      form === "eachMessage"
        ? new ThreadCall(this, lease, facts)
        : new ThreadBatch(this, lease, facts, lag);
    call.callMessages = this.#codec.reader.read(frame, call);
    this.#queue.add(call);
  }

  #abort(frame: FrameReader): void {
    const call = this.#queue.find(frame.u32());
    const name = frame.text();
    const message = frame.text();
    // It has ended meanwhile.
    if (call === undefined) return;
    call.abort(name === "TimeoutError" ? new DOMException(message, name) : new Error(message));
  }

  #lease(frame: FrameReader): void {
    const id = frame.u32();
    const module = this.#modules[frame.u32()];
    invariant(module !== undefined, "a lease names a module that its thread has loaded");
    const topic = frame.text();
    const partition = frame.u32();
    const groupId = frame.text();
    const offsetMetadata = frame.optionalText();
    const origin = frame.optionalText();
    const segment =
      origin === null ? undefined : { index: frame.u32(), count: frame.u32(), origin };
    const facts = { id, topic, partition, groupId, segment, offsetMetadata };
    this.#leases.set(id, new ThreadLease(facts, module));
  }

  #leaseState(frame: FrameReader): void {
    const id = frame.u32();
    const flags = frame.u32();
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    lease.flags = flags;
    // Its calls know it still. With instances it goes when their last hook has run.
    if ((flags & ENDED) !== 0 && !lease.hasInstances) this.#leases.delete(id);
  }

  #hook(frame: FrameReader): void {
    const question = frame.u32();
    const id = frame.u32();
    const hook = frame.text() as Hook;
    const lease = this.#leases.get(id);
    if (lease?.ended) this.#leases.delete(id);
    const ran = lease === undefined ? Promise.resolve([]) : lease.run(hook);
    ran.then((errors) => this.link.hooked(question, errors)).catch(crash);
  }
}

/** An error of our own ends the thread, as one of a handler's timers would. */
function crash(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
