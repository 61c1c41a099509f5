import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { HeadraceError } from "../../src/errors.ts";
import { init, Kernel } from "../../src/wasm/kernel.ts";
import { compileKernel } from "../../src/wasm/module.ts";

const permissions = "Deno" in globalThis ? ["run", "-A"] : [];

/** A module that exports `abiVersion()` and nothing else. */
function moduleOfAbi(version: number): WebAssembly.Module {
  const name = Array.from("abiVersion", (unit) => unit.charCodeAt(0));
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 5, 1, 0x60, 0, 1, 0x7f], // type: () -> i32
    ...[3, 2, 1, 0], // one function
    ...[7, name.length + 4, 1, name.length, ...name, 0, 0], // exported
    ...[10, 6, 1, 4, 0, 0x41, version, 0x0b], // returns the version
  ];
  return new WebAssembly.Module(Uint8Array.from(bytes));
}

describe("kernel module", () => {
  test("the kernel is WebAssembly here and imports nothing", () => {
    expect(new Kernel().engine).toBe("wasm");
    expect(WebAssembly.Module.imports(compileKernel()!)).toEqual([]);
  });

  test("compileKernel() returns null when compiling is forbidden", () => {
    const module = compileKernel(() => {
      throw new Error("Wasm code generation disallowed by embedder");
    });
    expect(module).toBe(null);
  });

  test("compileKernel() returns null when the ABI is another", () => {
    expect(compileKernel(() => moduleOfAbi(63))).toBe(null);
    expect(compileKernel(() => moduleOfAbi(2))).not.toBe(null);
  });

  test("init() refuses a module of another ABI and keeps the kernel it has", () => {
    const refused = () => init(moduleOfAbi(63));
    expect(refused).toThrow("ABI version must be 2: received 63");
    try {
      refused();
    } catch (error) {
      expect(HeadraceError.is(error) && error.code).toBe("HEADRACE_KERNEL_ABI");
    }
    const noKernel = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    expect(() => init(noKernel)).toThrow("received 0");
    expect(new Kernel().engine).toBe("wasm");
  });

  test("the twin does the work where compiling is forbidden, until init() brings a module", () => {
    const file = fileURLToPath(new URL("fallback-child.ts", import.meta.url));
    const child = spawnSync(process.execPath, [...permissions, file], { encoding: "utf8" });
    const lanes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    expect(child.stderr).not.toContain("Error");
    expect(JSON.parse(child.stdout)).toEqual({
      before: { engine: "twin", lanes },
      after: { engine: "wasm", lanes },
    });
  });

  // The compiler's output does not depend on the runtime and takes seconds: once is enough.
  test.skipIf(!("Bun" in globalThis))(
    "the committed bytes are what assembly/ compiles to",
    () => {
      const script = fileURLToPath(new URL("../../.ci/build-kernel.mjs", import.meta.url));
      const build = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
      expect(build.stderr).toBe("");
      expect(build.status).toBe(0);
    },
    60_000,
  );
});
