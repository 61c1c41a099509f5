import type { Consumer } from "./consumer-interface.ts";

/** Closes a consumer when its signal aborts; listens no longer than the consumer lives. */
export function closeOnSignal(signal: AbortSignal | null, consumer: Consumer): void {
  if (signal === null) return;
  const close = (): void => {
    consumer.close().catch(() => {});
  };
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  // A fatal error is told where the consumer is run.
  consumer.closed.finally(() => signal.removeEventListener("abort", close)).catch(() => {});
}
