import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandError, EXIT_FAILED, EXIT_USAGE } from "../../../src/cli/command-error.ts";
import { loadHandler } from "../../../src/cli/run/load-handler.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "headrace-module-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Loads a module with this text. */
async function load(text: string, name = "handler.mjs"): ReturnType<typeof loadHandler> {
  writeFileSync(join(directory, name), text);
  return await loadHandler(name, directory);
}

async function refusal(promise: Promise<unknown>): Promise<CommandError> {
  const error = await promise.then(
    () => new Error("it was not refused"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CommandError);
  return error as CommandError;
}

describe("loadHandler()", () => {
  test.each(["eachMessage", "eachBatch", "consumer"])("takes a module with %s", async (form) => {
    const loaded = await load(`export function ${form}() {}`);
    expect(loaded.form as string).toBe(form);
    expect(Object.keys(loaded.handler)).toEqual([form]);
    expect(loaded.deserializer).toBe(undefined);
  });

  test("takes a deserializer", async () => {
    const loaded = await load(
      "export function eachMessage() {} export const deserializer = () => 1;",
    );
    expect(loaded.deserializer?.(null, undefined as never)).toBe(1);
  });

  test.each([
    ["export const other = 1;", "exactly one of eachMessage, eachBatch, consumer: received other"],
    ["", "exactly one of eachMessage, eachBatch, consumer: received no export"],
    ["export default () => {};", "received default"],
    ["export const eachMessage = () => {}, eachBatch = () => {};", "eachMessage and eachBatch"],
    [
      "export const eachMessage = 5;",
      "eachMessage of handler.mjs must be a function: received number",
    ],
    [
      "export const eachMessage = () => {}, deserializer = {};",
      "deserializer of handler.mjs must be a function: received object",
    ],
  ])("refuses %j", async (text, reason) => {
    const error = await refusal(load(text));
    expect(error.message).toContain(reason);
    expect(error.exitCode).toBe(EXIT_USAGE);
  });

  test("refuses a file that is not there", async () => {
    const error = await refusal(loadHandler("none.mjs", directory));
    expect(error.message).toBe('Cannot run as the module must be a file: received "none.mjs"');
    expect(error.exitCode).toBe(EXIT_USAGE);
  });

  test("says why a module cannot be imported", async () => {
    const error = await refusal(load('throw new Error("no database");'));
    expect(error.message).toBe("Cannot import handler.mjs: no database");
    expect(error.exitCode).toBe(EXIT_FAILED);
  });

  test("takes TypeScript where the runtime does", async () => {
    const loaded = await load("export function eachMessage(m: unknown): void {}", "handler.ts");
    expect(loaded.form).toBe("eachMessage");
  });
});
