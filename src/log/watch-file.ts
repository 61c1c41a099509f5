import { type FSWatcher, watch } from "node:fs";

/** Longest time until a reader sees a change for which no notification came. */
export const LOOK_MS = 250;

/** Watches a file until it is stopped; undefined where that cannot be done now. */
export type FileWatch = (path: string, changed: () => void, ended: () => void) => Stop | undefined;
export type Stop = () => void;

/**
 * Watches a file by the system's notification. It is a hint and no more: events are lost on network
 * file systems and in some containers, and watches run out, so whoever waits also looks at times.
 *
 * @param changed Called after changes; several may come as one, some for nothing.
 * @param ended The watch is over: the file was removed, or the system gave up.
 * @returns Stops it; undefined when the file is not there or the system has no watch left.
 */
export function watchFile(path: string, changed: () => void, ended: () => void): Stop | undefined {
  let watcher: FSWatcher;
  try {
    watcher = watch(path, { persistent: false });
  } catch {
    // Missing, or too many watches: the slow look takes over.
    return undefined;
  }
  let open = true;
  const stop = (): void => {
    if (!open) return;
    open = false;
    watcher.close();
  };
  const end = (): void => {
    if (!open) return;
    stop();
    ended();
  };
  watcher.on("error", end);
  watcher.on("change", (event) => {
    if (!open) return;
    // A watch follows the file that had the name, not the name.
    if (event === "rename") end();
    changed();
  });
  return stop;
}
