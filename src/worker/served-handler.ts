interface Global {
  [key: symbol]: { handler: object | null; hosted: boolean } | undefined;
}

/** Shared by all copies of the library in a thread. */
const KEY: unique symbol = Symbol.for("headrace.served") as never;

function slot(): { handler: object | null; hosted: boolean } {
  const host = globalThis as unknown as Global;
  host[KEY] ??= { handler: null, hosted: false };
  return host[KEY];
}

/** What `serve()` was given in this thread and nobody has taken yet. */
export const servedHandler: {
  put(handler: object): void;
  take(): object | null;
  /** This thread's entry is ours, or it is no thread: modules are imported here, and `serve()` starts nothing. */
  hosted: boolean;
} = {
  put(handler) {
    slot().handler = handler;
  },
  take() {
    const { handler } = slot();
    slot().handler = null;
    return handler;
  },
  get hosted() {
    return slot().hosted;
  },
  set hosted(hosted) {
    slot().hosted = hosted;
  },
};
