/** When the first batch came and when a position was reached: for consumers whose handler gets nothing. */
import type { SourceBatch, SourceFactory, SourceListener } from "../../src/source/source.ts";

export interface TimedSource {
  readonly source: SourceFactory;
  /** Settles once everything below the end was taken in; answers the seconds since the first batch. */
  readonly read: Promise<number>;
}

/** @param end Offset at which the time is taken, of the only partition. */
export function timedSource(inner: SourceFactory, end: number): TimedSource {
  let firstMs = 0;
  let finish: (seconds: number) => void = () => {};
  const read = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const timed = (listener: SourceListener): SourceListener => ({
    ...listener,
    deliver: (batch: SourceBatch) => {
      if (firstMs === 0) firstMs = performance.now();
      const held = listener.deliver(batch);
      if (batch.nextOffset >= end) finish((performance.now() - firstMs) / 1000);
      return held;
    },
  });
  const open: SourceFactory["open"] = (group) => {
    const opened = inner.open(group);
    const start = opened.start.bind(opened);
    opened.start = (listener) => start(timed(listener));
    return opened;
  };
  return { source: { ...inner, open }, read };
}
