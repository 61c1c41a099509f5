import { type ModelThread, type Request, Wait } from "./model-thread.ts";
import { isSteps, type ModelGlobals, type Steps } from "./stepped-code.ts";

function* atomic(run: () => unknown): Steps {
  return yield { kind: "atomic", run } satisfies Request;
}

function* awaited(value: unknown): Steps {
  if (value instanceof Wait) yield { kind: "await", wait: value } satisfies Request;
  else if (value === null) {
    // A turn of the event loop.
    const turn = new Wait(-1);
    turn.done = true;
    yield { kind: "await", wait: turn } satisfies Request;
  } else return value;
  return undefined;
}

/** Its objects are what they wait for. */
class ModelPromise {
  constructor(executor: (resolve: () => void) => void) {
    const wait = new Wait(-1);
    executor(() => {
      wait.done = true;
    });
    // biome-ignore lint/correctness/noConstructorReturn: a wait is what `await` of the model understands
    return wait;
  }
}

/** What the code of a thread finds in place of the globals. @param thread The thread of the world at hand. */
export function modelGlobals(thread: () => ModelThread): ModelGlobals {
  function* called(value: unknown): Steps {
    if (!isSteps(value)) return value;
    const { history } = thread();
    history.enter();
    const result = yield* value;
    history.leave(() => {
      return typeof result === "object" ? undefined : `${result},${thread().state()}`;
    });
    return result;
  }
  return { Atomics: modelAtomics(thread), Promise: ModelPromise, called, awaited };
}

function modelAtomics(thread: () => ModelThread): object {
  const load = (word: number): number => {
    const own = thread();
    const value = own.memory.ints[word]!;
    own.memory.acquire(own.index, word);
    own.history.add(value);
    if (word === own.closedWord) own.sawClosed = value;
    return value;
  };
  const store = (word: number, value: number): void => {
    const { index, memory } = thread();
    memory.release(index, word);
    memory.ints[word] = value;
  };
  const sleep = (word: number): Wait => {
    const wait = new Wait(word);
    thread().waiters.add(wait);
    return wait;
  };
  return {
    load: (_: unknown, word: number) => atomic(() => load(word)),
    store: (_: unknown, word: number, value: number) => atomic(() => store(word, value)),
    exchange: (_: unknown, word: number, value: number) =>
      atomic(() => {
        const old = load(word);
        store(word, value);
        return old;
      }),
    notify: (_: unknown, word: number, count: number) =>
      atomic(() => {
        let woken = 0;
        for (const wait of thread().waiters) {
          if (wait.word !== word || woken === count) continue;
          wait.done = true;
          thread().waiters.delete(wait);
          woken++;
        }
        return woken;
      }),
    waitAsync: (_: unknown, word: number, value: number) =>
      atomic(() => {
        if (load(word) !== value) return { async: false, value: "not-equal" };
        return { async: true, value: sleep(word) };
      }),
    *wait(_: unknown, word: number, value: number): Steps {
      const wait = yield* atomic(() => (load(word) === value ? sleep(word) : null));
      if (wait === null) return "not-equal";
      return yield { kind: "block", wait: wait as Wait } satisfies Request;
    },
  };
}
