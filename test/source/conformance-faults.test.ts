import { describe, expect, test } from "bun:test";
import { type SourceHarness, sourceCases } from "../../src/source/conformance.ts";
import { recordList } from "../../src/source/record-list.ts";
import type {
  Source,
  SourceBatch,
  SourceFactory,
  SourceListener,
} from "../../src/source/source.ts";
import { memoryHarness } from "./memory-harness.ts";

/** Changes to a source that works, each of which breaks a rule. */
interface Fault {
  readonly what: string;
  /** Part of the name of the case that must see it. */
  readonly seenBy: string;
  readonly listener?: (listener: SourceListener) => Partial<SourceListener>;
  readonly source?: (source: Source) => Partial<Source>;
}

const faults: readonly Fault[] = [
  {
    what: "ignores pause()",
    seenBy: "pause() lets at most one batch through",
    source: () => ({ pause: () => {} }),
  },
  {
    what: "ignores deliver()'s promise",
    seenBy: "holds the partition's next batch",
    listener: (listener) => ({
      deliver: (batch) => {
        void listener.deliver(batch);
      },
    }),
  },
  {
    what: "delivers twice",
    seenBy: "every offset once",
    listener: (listener) => ({
      deliver: (batch) => {
        void listener.deliver(batch);
        return listener.deliver(batch);
      },
    }),
  },
  {
    what: "starts at the log's start whatever it is told",
    seenBy: "reads from the offset that assigned() answers",
    listener: (listener) => ({ assigned: (leases) => listener.assigned(leases).map(() => 0) }),
  },
  {
    what: "gives empty values for null values",
    seenBy: "keys, values, headers and timestamps",
    listener: (listener) => ({ deliver: (batch) => listener.deliver(withoutNulls(batch)) }),
  },
  {
    what: "loses the metadata",
    seenBy: "stores offset and metadata",
    source: (source) => ({
      commit: (entries, signal) =>
        source.commit(
          entries.map((entry) => ({ ...entry, metadata: "" })),
          signal,
        ),
    }),
  },
  {
    what: "answers one outcome per request",
    seenBy: "answers index by index",
    source: (source) => ({
      commit: async (entries, signal) => (await source.commit(entries, signal)).slice(0, 1),
    }),
  },
  {
    what: "does not seek",
    seenBy: "reads again from a lower offset",
    source: () => ({ seek: () => {} }),
  },
  {
    what: "does not wait for the drain",
    seenBy: "awaited before another member gets the partition",
    listener: (listener) => ({
      revoking: async (leases, deadlineMs) => {
        void listener.revoking(leases, deadlineMs);
      },
    }),
  },
  {
    what: "goes on after stop()",
    seenBy: "nothing is delivered or stored after it",
    source: () => ({ stop: async () => {} }),
  },
  {
    what: "starts without its topic",
    seenBy: "rejects when the topic is missing",
    source: (source) => ({ start: (listener) => source.start(listener).catch(() => {}) }),
  },
];

function withoutNulls(batch: SourceBatch): SourceBatch {
  const { records } = batch;
  const list = Array.from({ length: records.count }, (_, i) => ({
    offset: records.baseOffset + (records.offsetDeltas?.[i] ?? i),
    timestamp: records.timestampAt(i),
    key: records.keyAt(i),
    value: records.valueAt(i) ?? new Uint8Array(),
    headers: records.headersAt(i).entries(),
  }));
  return { ...batch, records: recordList(list) };
}

function withFault(harness: SourceHarness, fault: Fault): SourceHarness {
  const open: SourceFactory["open"] = (group) => {
    const source = harness.factory.open(group);
    const faulty: Source = {
      can: source.can,
      start: (listener) => source.start(faultyListener(listener, fault)),
      stop: (how) => source.stop(how),
      pause: (lease) => source.pause(lease),
      resume: (lease) => source.resume(lease),
      seek: (lease, offset) => source.seek(lease, offset),
      commit: (entries, signal) => source.commit(entries, signal),
    };
    return { ...faulty, ...fault.source?.(faulty) };
  };
  return { ...harness, factory: { ...harness.factory, open }, stepTimeoutMs: 200 };
}

function faultyListener(listener: SourceListener, fault: Fault): SourceListener {
  const plain: SourceListener = {
    assigned: (leases) => listener.assigned(leases),
    revoking: (leases, deadlineMs) => listener.revoking(leases, deadlineMs),
    joined: (kept, ended) => listener.joined(kept, ended),
    lost: (leases) => listener.lost(leases),
    deliver: (batch) => listener.deliver(batch),
    advanced: (lease, nextOffset) => listener.advanced(lease, nextOffset),
    failed: (error, fatal) => listener.failed(error, fatal),
  };
  return { ...plain, ...fault.listener?.(plain) };
}

describe("sourceCases", () => {
  for (const fault of faults) {
    test(`a case fails when a source ${fault.what}`, async () => {
      const seeing = sourceCases.find((one) => one.name.includes(fault.seenBy));
      const run = seeing?.run(withFault(memoryHarness(), fault));
      await expect(run).rejects.toThrow();
    });
  }
});
