interface Host {
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
}

/** A variable of the process's environment; undefined where there is none, or where it may not be read. */
export function environmentVariable(name: string): string | undefined {
  try {
    return (globalThis as Host).process?.env?.[name];
  } catch {
    // Deno without --allow-env: what may not be read says nothing.
    return undefined;
  }
}
