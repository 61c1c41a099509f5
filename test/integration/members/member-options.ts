import type { CommonTopicOptions, ConsumerOptions } from "../../../src/options.ts";

/** How a member consumes: plain JSON, for it travels in the arguments of its process. */
export interface MemberOptions {
  /** Unlike that of every other member of the test, restarted ones included. */
  readonly name: string;
  /** The journal's path. */
  readonly journal: string;
  readonly bootstrap: string;
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Milliseconds after which the broker gives up on a killed member. */
  readonly sessionTimeoutMs: number;
  /** Options of `createConsumer()`. */
  readonly consumer: Pick<
    ConsumerOptions,
    "concurrency" | "maxInFlightMessages" | "commitIntervalMs" | "drainTimeoutMs"
  >;
  /** Options of every topic; functions cannot travel. */
  readonly topic: Pick<
    CommonTopicOptions,
    "virtualPartitions" | "onError" | "retry" | "deadLetterQueue" | "maxMessages"
  >;
  /** Milliseconds of a handler call: from the offset, evenly between both. Below 1: no wait. */
  readonly work: { readonly minMs: number; readonly maxMs: number };
  /** So long takes the message at every so-manieth offset instead. */
  readonly slow?: { readonly every: number; readonly ms: number };
  /** In every partition the message at this offset never finishes. */
  readonly stuckAt?: number;
  /** It is so many of the group's segments, by key. Its commits stay out of the journal: foreign counts as done. */
  readonly segments?: { readonly count: number; readonly run: number[] };
  /** Handlers throw for poison. */
  readonly poison?: boolean;
}
