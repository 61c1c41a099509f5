/** Threads of this runtime. Only their messages of start-up and end go this way; all else is in shared memory. */
import type { WorkerThread } from "../options.ts";

/** The far end as a thread sees it. */
export interface ThreadPort {
  post(message: unknown): void;
  /** Messages that came before the first listener may be lost: say hello first. */
  onMessage(listener: (message: unknown) => void): void;
}

interface WorkerThreads {
  readonly Worker: new (url: URL, options: { name: string }) => WorkerThread;
  readonly isMainThread: boolean;
  readonly parentPort: {
    postMessage(message: unknown): void;
    on(event: "message", listener: (message: unknown) => void): void;
  } | null;
}

/** `node:worker_threads`, as Node, Bun and Deno have it; null in a host without threads. */
async function workerThreads(): Promise<WorkerThreads | null> {
  try {
    return (await import("node:worker_threads")) as unknown as WorkerThreads;
  } catch {
    // A host that does not know the module: that is the answer.
    return null;
  }
}

/** Starts a thread at a URL. */
export type StartThread = (url: URL, name: string) => WorkerThread;

/**
 * How to start a thread that runs a module of ours, or null where threads with shared memory do not exist (W4).
 *
 * @returns Starts a thread at a URL. It throws where the host has the name of threads only.
 */
export async function findThreads(): Promise<StartThread | null> {
  if (typeof SharedArrayBuffer === "undefined" || typeof Atomics === "undefined") return null;
  const threads = await workerThreads();
  if (typeof threads?.Worker !== "function") return null;
  const { Worker } = threads;
  return (url, name) => new Worker(bootUrl(url), { name });
}

/** Threads start from files only: what was loaded from elsewhere is imported by a line of code that travels in the URL. */
function bootUrl(url: URL): URL {
  if (url.protocol === "file:" || url.protocol === "data:") return url;
  const code = `await import(${JSON.stringify(url.href)})`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

/** The way out of this thread; null on the main thread. */
export async function findThreadPort(): Promise<ThreadPort | null> {
  const threads = await workerThreads();
  const port = threads?.parentPort;
  if (threads === null || threads.isMainThread || port === null || port === undefined) return null;
  return {
    post: (message) => port.postMessage(message),
    onMessage: (listener) => port.on("message", listener),
  };
}
