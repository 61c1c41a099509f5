/**
 * Gives what the iterable gives, until it ends or the signal aborts. A value that is still awaited
 * then is dropped.
 */
export async function* untilAborted<T>(
  values: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const iterator = values[Symbol.asyncIterator]();
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  while (!signal.aborted) {
    const next = iterator.next();
    const result = await Promise.race([next, aborted]);
    if (result === undefined) {
      // Nobody waits for it any more: it may fail when its source is closed.
      next.catch(() => {});
      return;
    }
    if (result.done) return;
    yield result.value;
  }
}
