import { byHeader, byKey, type Message, type Partitioner } from "../index.ts";
import { usageError } from "./command-error.ts";

/**
 * Reads the value of `--key`: `key`, `header:NAME` or `json:PATH`, where PATH is a field name or several with dots.
 *
 * @param act For errors: "Cannot <act> as …".
 * @throws {CommandError} For anything else.
 */
export function keySpec(text: string, act = "run"): Partitioner {
  if (text === "key") return byKey();
  const colon = text.indexOf(":");
  const kind = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (kind === "header" && rest !== "") return byHeader(rest);
  const path = rest.split(".");
  if (kind === "json" && path.every((name) => name !== "")) return byJsonPath(path);
  const rule = "--key must be key, header:NAME or json:PATH";
  throw usageError(`Cannot ${act} as ${rule}: received "${text}"`);
}

/** A missing field is no key; a field that is no text or number fails the partitioner (P1). */
function byJsonPath(path: readonly string[]): Partitioner {
  return (message: Message) => {
    let value: unknown = message.json();
    for (const name of path) {
      if (typeof value !== "object" || value === null) return null;
      value = (value as Record<string, unknown>)[name];
    }
    return value as string | number | null | undefined;
  };
}
