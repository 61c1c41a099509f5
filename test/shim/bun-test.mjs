/**
 * The part of `bun:test` that the tests use, on `node:test`, `expect` and `jest-mock`.
 *
 * Node gets it through register.mjs, Deno (which has `node:test` too) through test/deno.json.
 */
import * as nodeTest from "node:test";
import { format } from "node:util";
import { expect } from "expect";
import { ModuleMocker } from "jest-mock";

/** Deno's report does not tell a describe from a test: this mark at the end of its name does. */
const describeMark = "Deno" in globalThis ? "\u200b" : "";

const mocker = new ModuleMocker(globalThis);

/** Inside a describe that is left out. Its tests are still registered, so that they are counted. */
let leftOut = process.env.HEADRACE_TEST_LEAVE_OUT !== undefined;

/**
 * Errors that nothing caught. bun:test fails the test that runs then. node:test only warns of a
 * rejection after its test, and Deno's drops even a throw while the file loads; so the next test
 * to end fails with it.
 */
const strays = [];

if ("Deno" in globalThis) {
  globalThis.addEventListener("error", (event) => strays.push(event.error));
  globalThis.addEventListener("unhandledrejection", (event) => strays.push(event.reason));
} else process.on("unhandledRejection", (reason) => strays.push(reason));

// Taken now, as a test may replace the timers.
const { setImmediate, setInterval, clearInterval } = globalThis;
const longMs = 1_000_000;

async function failOnStray() {
  // Runtimes report an unhandled rejection only after the turn that made it.
  await new Promise((resolve) => setImmediate(resolve));
  if (strays.length === 0) return;
  const [cause] = strays.splice(0);
  throw new Error("Uncaught error beside the tests", { cause });
}

/** bun:test passes `done` to a function that takes an argument; node:test would pass its context. */
function called(body) {
  if (body.length === 0) return body();
  return new Promise((resolve, reject) => {
    const done = (error) => (error ? reject(error) : resolve());
    Promise.resolve(body(done)).catch(reject);
  });
}

function settings(options) {
  const given = typeof options === "number" ? { timeout: options } : (options ?? {});
  return { timeout: Number(process.env.HEADRACE_TEST_TIMEOUT_MS ?? 5000), ...given };
}

/** Name of one row of a table: printf marks take the row's values, `$name` a property of it. */
function rowName(name, row, index) {
  const values = Array.isArray(row) ? row : [row];
  const numbered = name.replaceAll("%#", String(index)).replaceAll("%p", "%j");
  const marks = numbered.match(/%[sdifjoO]/g)?.length ?? 0;
  const filled = marks > 0 ? format(numbered, ...values.slice(0, marks)) : numbered;
  return filled.replace(/\$(\w+)/g, (mark, key) => {
    const property = row?.[key];
    return property === undefined ? mark : format(property);
  });
}

/** Adds each, skip, skipIf, todoIf, if and todo to a function `(name, body, options, extra)`. */
function withVariants(declare) {
  const declared = (extra) => (name, body, options) => declare(name, body, options, extra);
  const variant = declared({});
  variant.skip = declared({ skip: true });
  variant.todo = declared({ skip: true, todo: true });
  variant.if = (condition) => (condition ? variant : variant.skip);
  variant.skipIf = (condition) => (condition ? variant.skip : variant);
  variant.todoIf = (condition) => (condition ? variant.todo : variant);
  for (const target of [variant, variant.skip, variant.todo]) {
    target.each = (rows) => (name, body, options) => {
      rows.forEach((row, index) => {
        const values = Array.isArray(row) ? row : [row];
        target(rowName(name, row, index), bound(body, values), options);
      });
    };
  }
  return variant;
}

/** The body with a row's values filled in; one more parameter than values is `done`. */
function bound(body, values) {
  if (body.length > values.length) return (done) => body(...values, done);
  return () => body(...values);
}

export const test = withVariants((name, body, options, extra) => {
  // node:test runs a todo, bun:test does not: here it is a skip with another name.
  const label = extra.todo ? `${name} (todo)` : name;
  const skip = leftOut || extra.skip === true;
  nodeTest.test(label, { ...settings(options), skip }, async (context) => {
    // Node ends when nothing keeps it alive, and cancels a test that waits for less than a handle.
    const alive = setInterval(() => {}, longMs);
    context?.signal?.addEventListener("abort", () => clearInterval(alive));
    try {
      await called(body);
      await failOnStray();
    } finally {
      clearInterval(alive);
    }
  });
});
export const it = test;

export const describe = withVariants((name, body, _options, extra) => {
  const skip = leftOut || extra.skip === true;
  nodeTest.describe(`${name}${describeMark}`, () => {
    const before = leftOut;
    leftOut = skip;
    try {
      body?.();
    } finally {
      leftOut = before;
    }
  });
});

const hook = (register) => (body, options) => {
  if (!leftOut) register(() => called(body), settings(options));
};
export const beforeAll = hook(nodeTest.before);
export const afterAll = hook(nodeTest.after);
export const beforeEach = hook(nodeTest.beforeEach);
export const afterEach = hook(nodeTest.afterEach);

// For what comes after the last test.
nodeTest.after(failOnStray);

export const mock = (body) => mocker.fn(body);
mock.restore = () => mocker.restoreAllMocks();
mock.clearAllMocks = () => mocker.clearAllMocks();
export const spyOn = (target, name) => mocker.spyOn(target, name);

export { expect };
