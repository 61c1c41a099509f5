import { existsSync } from "node:fs";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Deserializer, OneHandler } from "../../index.ts";
import { CommandError, explainError, usageError } from "../command-error.ts";

const FORMS = ["eachMessage", "eachBatch", "consumer"] as const;
type Form = (typeof FORMS)[number];

/** What a module gives to `headrace run`. */
export interface LoadedHandler {
  readonly form: Form;
  /** Part of the topic's options. */
  readonly handler: OneHandler<unknown>;
  readonly deserializer: Deserializer<unknown> | undefined;
}

/**
 * Where a user's module is.
 *
 * @param path Relative to `cwd`.
 * @throws {CommandError} When there is no such file.
 */
export function moduleUrl(path: string, cwd: string): URL {
  const file = resolve(cwd, path);
  if (existsSync(file)) return pathToFileURL(file);
  throw usageError(`Cannot run as the module must be a file: received "${path}"`);
}

/**
 * Imports a user's module: exactly one of `eachMessage`, `eachBatch` and `consumer`, and a `deserializer` if it likes.
 *
 * @param path Relative to `cwd`.
 * @throws {CommandError} When the file is missing, cannot be imported here, or exports no handler.
 */
export async function loadHandler(path: string, cwd: string): Promise<LoadedHandler> {
  const exported = await importModule(moduleUrl(path, cwd), path);
  const found = FORMS.filter((form) => exported[form] !== undefined);
  const form = found[0];
  if (form === undefined || found.length > 1) {
    const names = found.length > 1 ? found.join(" and ") : Object.keys(exported).join(", ");
    const rule = `${path} must export exactly one of ${FORMS.join(", ")}`;
    throw usageError(`Cannot run as ${rule}: received ${names || "no export"}`);
  }
  const { deserializer } = exported;
  checkFunction(path, form, exported[form]);
  if (deserializer !== undefined) checkFunction(path, "deserializer", deserializer);
  return {
    form,
    handler: { [form]: exported[form] } as unknown as OneHandler<unknown>,
    deserializer: deserializer as Deserializer<unknown> | undefined,
  };
}

function checkFunction(path: string, name: string, value: unknown): void {
  if (typeof value === "function") return;
  throw usageError(`Cannot run as ${name} of ${path} must be a function: received ${typeof value}`);
}

async function importModule(url: URL, path: string): Promise<Record<string, unknown>> {
  try {
    return (await import(url.href)) as Record<string, unknown>;
  } catch (error) {
    // Said by Node before 22.18 without a loader of the user's: with one, the import works.
    if ((error as { code?: unknown } | null)?.code === "ERR_UNKNOWN_FILE_EXTENSION") {
      const who = "Node 22.18 or newer, Bun and Deno take .ts; or compile it to .js";
      const rule = `this runtime takes no ${extname(path)} file (${who})`;
      throw usageError(`Cannot run as ${rule}: received "${path}"`);
    }
    throw new CommandError(`Cannot import ${path}: ${explainError(error)}`, 1, error);
  }
}
