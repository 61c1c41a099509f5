/**
 * Tells readers of this process what this process has written, without a turn through the file
 * system. Keyed by the path that changed: a partition's directory, or the one of all topics.
 */

const waiting = new Map<string, Set<() => void>>();
/** Directories of logs that this process writes. */
const written = new Set<string>();

/** Says that this process begins or ends to write the log in a directory. */
export function setWrittenHere(root: string, isWritten: boolean): void {
  if (isWritten) written.add(root);
  else written.delete(root);
}

/** True while this process writes the log: then all changes are told here. */
export function isWrittenHere(root: string): boolean {
  return written.has(root);
}

/** Calls back after each change that this process makes there. @returns Removes the callback. */
export function onLocalWrite(path: string, wake: () => void): () => void {
  const wakes = waiting.get(path) ?? new Set();
  waiting.set(path, wakes.add(wake));
  return () => {
    wakes.delete(wake);
    if (wakes.size === 0 && waiting.get(path) === wakes) waiting.delete(path);
  };
}

/** Says that something has changed there, and can be read. */
export function tellLocalWrite(path: string): void {
  const wakes = waiting.get(path);
  if (wakes !== undefined) for (const wake of [...wakes]) wake();
}
