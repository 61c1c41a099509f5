/**
 * What the frames between the polling thread and a worker thread say: their kinds and fields, in the order in which
 * they are written. The messages of calls are the codec's.
 */

// ---- to the worker thread --------------------------------------------------------------------------------------

/**
 * A lease that calls may name: u32 id, u32 module, text topic, u32 partition, text groupId, text? offsetMetadata, text?
 * origin of its segment; with one: u32 index, u32 count.
 */
export const LEASE = 1;
/** What changed about a lease: u32 id, u32 flags. */
export const LEASE_STATE = 2;
/**
 * A handler call: u32 call, u32 lease, u32 virtual partition, u32 attempt, u32 flags of the lease, f64 lane key, f64
 * lag, then its messages.
 */
export const CALL = 3;
/** The signal of a call aborts: u32 call, text name, text message. */
export const ABORT = 4;
/** Runs a hook of the long-lived consumers of a lease: u32 question, u32 lease, text hook. */
export const HOOK = 5;
/** The answer to a question of the thread: u32 question, text? error. */
export const ANSWER = 6;

// ---- to the polling thread -------------------------------------------------------------------------------------

/** A call ended well: u32 call. */
export const DONE = 16;
/** A call failed: u32 call, text error. */
export const FAILED = 17;
/** Collective mark: u32 call (0: it has ended), u32 lease, f64 offset, f64 lane key, text? text of the user. */
export const MARK = 18;
/** Attaches a text: u32 lease, f64 offset, text. */
export const TEXT = 19;
/** Collapse: u32 lease, f64 offset. */
export const COLLAPSE = 20;
/** Pause: u32 lease, f64 milliseconds. */
export const PAUSE = 21;
/** Dead letter: u32 question, u32 call, u32 lease, f64 offset, text reason, u32 with record, then its fields. */
export const DEAD_LETTER = 22;
/** Wants to run alone in its topic partition: u32 question, u32 lease. */
export const SYNCHRONIZE = 23;
/** Does not run alone any more: u32 question. */
export const RELEASE = 24;
/** A hook has run: u32 question, u32 count, text errors. */
export const HOOK_DONE = 25;

// ---- flags of a lease ------------------------------------------------------------------------------------------

export const DRAINING = 1;
export const FAILING = 2;
export const COLLAPSED = 4;
export const ENDED = 8;

/** What the polling thread sends by message, as the channel is not there yet, or is about to begin. */
export interface BootMessage {
  readonly headrace: "boot";
  /** Of the channel. */
  readonly memory: SharedArrayBuffer;
  /** Words that both sides read: see {@link STARTED_WORD}, {@link STOP_WORD}. */
  readonly words: SharedArrayBuffer;
  /** URLs; empty for a thread that serves its own handler. */
  readonly modules: readonly string[];
  /** Longest text of the user in a commit's metadata, in UTF-16 units. */
  readonly maxTextLength: number;
}

/** Index in `words`: calls whose handler has been started, counted up by the worker thread. */
export const STARTED_WORD = 0;

/** Index in `words`: 1 once the thread is given up. Set by the polling thread. */
export const STOP_WORD = 1;

/** What a thread exports, module by module. */
export interface ModuleForm {
  readonly form: "eachMessage" | "eachBatch" | "consumer";
}

/** What a thread sends by message. */
export type ThreadMessage =
  | { readonly headrace: "hello" }
  | { readonly headrace: "ready"; readonly modules: readonly ModuleForm[] }
  | { readonly headrace: "refused"; readonly module: number; readonly error: string }
  /** The channel's own wake-up, where it needs one. */
  | { readonly headrace: "bell" };
