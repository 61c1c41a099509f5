interface Host {
  readonly navigator?: { readonly hardwareConcurrency?: number };
}

/** How many processors this process may use; at least 1. */
export async function processorCount(): Promise<number> {
  const count = (globalThis as Host).navigator?.hardwareConcurrency ?? (await askSystem());
  return Number.isInteger(count) && count >= 1 ? count : 1;
}

/** Node before 21 has no navigator. */
async function askSystem(): Promise<number> {
  try {
    return (await import("node:os")).availableParallelism();
  } catch {
    // A host without that module does not say.
    return 1;
  }
}
