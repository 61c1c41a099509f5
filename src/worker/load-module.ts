import { WorkerError } from "../errors.ts";
import type { FunctionHandler } from "../resolve-topic.ts";
import type { Deserializer } from "../types.ts";
import { servedHandler } from "./served-handler.ts";

const FORMS = ["eachMessage", "eachBatch", "consumer"] as const;

/** How much of a URL is shown: some carry their whole module. */
const MAX_NAME = 200;

/** What a module handles messages with. */
export interface LoadedModule {
  readonly handler: FunctionHandler;
  /** Makes `message.payload` (W6). */
  readonly deserializer: Deserializer<unknown> | null;
}

/**
 * Imports a module into this thread.
 *
 * @param url Absolute.
 * @throws {WorkerError} `HEADRACE_WORKER_LOAD` when it cannot be imported, or does not export exactly one handler.
 */
export async function loadModule(url: string): Promise<LoadedModule> {
  const name = url.length <= MAX_NAME ? url : `${url.slice(0, MAX_NAME)}…`;
  // What another module has left behind is not this one's.
  servedHandler.take();
  let exported: Record<string, unknown>;
  try {
    exported = (await import(url)) as Record<string, unknown>;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw loadError(
      `Cannot load ${name} as it must be a module that can be imported: ${why}`,
      cause,
    );
  }
  return checkHandler(name, servedHandler.take() ?? exported);
}

/**
 * Reads what a module exports, or what `serve()` was given.
 *
 * @param name For messages: the URL, or the function.
 * @throws {WorkerError} `HEADRACE_WORKER_LOAD` when that is not exactly one handler.
 */
export function checkHandler(name: string, exported: object): LoadedModule {
  const given = exported as Record<string, unknown>;
  const found = FORMS.filter((form) => given[form] !== undefined);
  const form = found[0];
  if (form === undefined || found.length > 1) {
    const names = found.length > 1 ? found.join(" and ") : Object.keys(given).join(", ");
    const rule = `it must export exactly one of ${FORMS.join(", ")}`;
    throw loadError(`Cannot load ${name} as ${rule}: received ${names || "no export"}`);
  }
  const { deserializer } = given;
  checkFunction(name, form, given[form]);
  if (deserializer !== undefined) checkFunction(name, "deserializer", deserializer);
  const call = given[form] as never;
  return {
    handler: form === "consumer" ? { form, make: call } : { form, call },
    deserializer: (deserializer as Deserializer<unknown> | undefined) ?? null,
  };
}

function checkFunction(name: string, form: string, value: unknown): void {
  if (typeof value === "function") return;
  throw loadError(`Cannot load ${name} as ${form} must be a function: received ${typeof value}`);
}

function loadError(message: string, cause?: unknown): WorkerError {
  return new WorkerError(message, { code: "HEADRACE_WORKER_LOAD", cause });
}
