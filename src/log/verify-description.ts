import { readIfThere } from "./files.ts";

/** Longest part of a damaged file that is shown. */
const SHOWN = 60;

/**
 * What is wrong with a small JSON file that has a name, or undefined.
 *
 * @param fields Further fields that must be there.
 */
export function descriptionProblem(path: string, fields: readonly string[]): string | undefined {
  const json = readDescription(path);
  if (typeof json === "string") return json;
  const missing = ["name", ...fields].filter((field) => json[field] === undefined);
  return missing.length === 0 ? undefined : `no ${missing.join(", ")}`;
}

/** The object in a JSON file, or what is there instead. */
export function readDescription(path: string): Record<string, unknown> | string {
  const text = readIfThere(path)?.toString();
  if (text === undefined) return "no file";
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null) return json as Record<string, unknown>;
  } catch {
    // Told below.
  }
  return text === "" ? "an empty file" : `${JSON.stringify(text.slice(0, SHOWN))}, no JSON object`;
}
