/** What the messages of a lab can ask of their handler. */

import type { Batch, Message, MessageContext } from "../../src/types.ts";
import { Redeliver } from "../../src/worker/serve.ts";
import type { Step } from "./lab.ts";

export interface StepScope {
  readonly message: Message;
  readonly context: MessageContext;
  /** Gates, by number. */
  readonly words: Int32Array;
  note(what: string, fields?: Record<string, unknown>): void;
}

const kept: Message[] = [];
const keptContexts: MessageContext[] = [];
const never = new Promise<never>(() => {});

type Act = (scope: StepScope, argument: never) => unknown;

/** Steps that return no promise leave their call synchronous. */
const acts: Record<Step[0], Act> = {
  // ---- time --------------------------------------------------------------------------------------------------
  gate: async ({ words }, gate: number) => {
    while (Atomics.load(words, gate) === 0) {
      const woken = Atomics.waitAsync(words, gate, 0);
      if (woken.async) await woken.value;
    }
  },
  block: ({ words }, gate: number) => {
    Atomics.wait(words, gate, 0);
  },
  /** For as long as the test runs: Deno does not end a thread that loops. */
  spin: ({ words }) => {
    while (Atomics.load(words, words.length - 1) === 0);
  },
  forever: () => never,
  untilAborted: async ({ context, note }) => {
    const { signal } = context;
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
    const { name, message } = signal.reason as Error;
    note("aborted", { name, message });
  },
  pollSignal: ({ context, note }) => {
    while (!context.signal.aborted);
    note("aborted", { name: (context.signal.reason as Error).name });
  },
  pollDraining: ({ context, note }) => {
    while (!context.draining);
    note("draining");
  },
  // ---- errors ------------------------------------------------------------------------------------------------
  throw: (_, [name, message, code]: [string, string, string?]) => {
    const kinds: Record<string, new (text: string) => Error> = { TypeError, RangeError };
    const error = new (kinds[name] ?? Error)(message);
    error.name = name;
    throw Object.assign(error, code === undefined ? {} : { code });
  },
  throwUntil: ({ context }, attempt: number) => {
    if (context.attempt < attempt) throw new Error("planned");
  },
  throwValue: (_, value: unknown) => {
    throw value;
  },
  redeliverOnce: ({ words }, [gate, options]: [number, object]) => {
    if (Atomics.exchange(words, gate, 1) === 0) throw new Redeliver(options);
  },
  exit: (_, code: number) => {
    process.exit(code);
  },
  exitUntil: ({ context }, attempt: number) => {
    if (context.attempt < attempt) process.exit(3);
  },
  crash: () => {
    setTimeout(() => {
      throw new Error("planned crash");
    });
    return never;
  },
  reject: () => {
    Promise.reject(new Error("planned rejection"));
    return never;
  },
  // ---- context -----------------------------------------------------------------------------------------------
  context: ({ context, note }) => {
    const { groupId, segment, offsetMetadata, draining, failing } = context;
    const { topic, partition, firstOffset, lastOffset, lag } = context as Partial<Batch>;
    const batch = { topic, partition, firstOffset, lastOffset, lag };
    note("context", {
      groupId,
      segment,
      offsetMetadata,
      draining,
      failing,
      aborted: context.signal.aborted,
      batch,
    });
  },
  message: ({ message, note }) => {
    const { topic, partition, offset, timestamp, key, value, headers } = message;
    const show = (bytes: Uint8Array | null): string | null =>
      bytes === null ? null : new TextDecoder().decode(bytes);
    note("message", {
      ...{ topic, partition, offset, timestamp, key: show(key), value: show(value) },
      headers: headers.entries().map(([name, bytes]) => [name, show(bytes)]),
      payload: message.payload,
      isBuffer: value === null || typeof Buffer === "undefined" || Buffer.isBuffer(value),
    });
  },
  /** Length and sum of the value's bytes: for those that are too long to be written down. */
  size: ({ message, note }) => {
    let sum = 0;
    for (const byte of message.value!) sum = (sum * 31 + byte) >>> 0;
    note("size", { length: message.value!.length, sum });
  },
  mark: ({ context, message, note }, text?: string) => {
    note("mark", { result: context.markAsConsumed(message, text ?? undefined) });
  },
  markDefault: ({ context, note }) => note("mark", { result: context.markAsConsumed() }),
  keep: ({ message, context }) => {
    kept.push(message, message.detach());
    keptContexts.push(context);
  },
  /** What was kept of the first call. */
  readKept: ({ note }) => {
    const [message, detached] = kept;
    let error: unknown;
    try {
      message!.text();
    } catch (cause) {
      error = cause;
    }
    const { name, code, message: why } = error as Error & { code: string };
    note("kept", { name, code, why, offset: message!.offset, detached: detached!.text() });
  },
  markKept: ({ note }) => {
    const results = kept.map((message) => keptContexts[0]!.markAsConsumed(message));
    note("mark", { results, own: keptContexts[0]!.markAsConsumed() });
  },
  synchronize: async ({ context, note }, steps: number) => {
    await context.synchronize(async () => {
      note("in");
      for (let i = 0; i < steps; i++) await Promise.resolve();
      context.markAsConsumed();
      note("out");
    });
  },
  synchronizeGate: ({ context, note, words }, gate: number) =>
    context.synchronize(async () => {
      note("in");
      while (Atomics.load(words, gate) === 0) {
        const woken = Atomics.waitAsync(words, gate, 0);
        if (woken.async) await woken.value;
      }
      note("out");
    }),
  collapseUntil: ({ context }, offset: number) => context.collapseUntil(offset),
  pause: ({ context }, ms: number) => context.pause(ms),
  text: ({ context }, text: string) => context.setOffsetMetadata(text),
  deadLetter: async ({ context, message, note }, reason?: string) => {
    await context.deadLetter(message, reason);
    note("deadLettered");
  },
  deadLetterKept: async ({ context, note }, which: number) => {
    try {
      await context.deadLetter(kept[which]!, "kept");
      note("deadLettered");
    } catch (error) {
      const { code, message } = error as Error & { code: string };
      note("refused", { code, message });
    }
  },
  /** Notes what a wrong argument is answered with. */
  misuse: ({ context, note }, [method, argument]: [keyof MessageContext, unknown]) => {
    try {
      (context[method] as (argument: unknown) => void)(argument);
    } catch (error) {
      note("misuse", { name: (error as Error).name, message: (error as Error).message });
    }
  },
  payload: ({ message, note }) => note("payload", { payload: message.payload }),
};

export function runStep([name, argument]: Step, scope: StepScope): unknown {
  return acts[name]!(scope, argument as never);
}
