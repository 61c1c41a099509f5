const METHODS = ["log", "info", "warn", "error", "debug"] as const;

/**
 * Calls `before` ahead of everything that a handler writes to the console, so that a status line is out of its way.
 *
 * @returns A function that undoes it.
 */
export function guardConsole(before: () => void): () => void {
  const originals = METHODS.map((method) => console[method]);
  METHODS.forEach((method, index) => {
    console[method] = (...values: unknown[]) => {
      before();
      originals[index]!.apply(console, values);
    };
  });
  return () => {
    METHODS.forEach((method, index) => {
      console[method] = originals[index]!;
    });
  };
}
