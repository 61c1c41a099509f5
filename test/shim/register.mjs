/** `node --import`: lets test files import from `bun:test` on Node. */
import { registerHooks } from "node:module";

const shimUrl = new URL("./bun-test.mjs", import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "bun:test"
      ? { url: shimUrl, format: "module", shortCircuit: true }
      : next(specifier, context),
});
