// Compiles assembly/ and writes src/wasm/kernel-bytes.ts, the base64 module that the library ships.
//
//   node .ci/build-kernel.mjs                 compile and write
//   node .ci/build-kernel.mjs --check         compile and compare; exit 1 when the committed bytes differ
//   node .ci/build-kernel.mjs --wasm FILE     also write the plain .wasm (with or without --check)
//
// The compiler's output is the same byte for byte on every machine, for one version of it (pinned
// in package.json).
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const target = join(root, "src/wasm/kernel-bytes.ts");

const { values } = parseArgs({
  options: { check: { type: "boolean", default: false }, wasm: { type: "string" } },
});
// The compiler reads the command line too, and takes --wasm for a compiler of its own: hide ours
// from it.
process.argv.length = 2;
const { default: asc } = await import("assemblyscript/asc");

/** Returns the bytes of the kernel. Options come from asconfig.json. */
async function compile() {
  let bytes;
  const { error, stderr } = await asc.main(["--baseDir", root, "--outFile", "kernel.wasm"], {
    writeFile: (_name, contents) => {
      bytes = contents;
    },
  });
  if (error !== null || bytes === undefined) {
    throw new Error(`Cannot compile the kernel as its source is wrong:\n${stderr}`, {
      cause: error,
    });
  }
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes));
  if (imports.length > 0) {
    throw new Error(`Cannot ship a kernel that imports: received ${JSON.stringify(imports)}`);
  }
  return bytes;
}

const bytes = await compile();
const text = `// Generated from assembly/ by .ci/build-kernel.mjs. Do not edit.

/** The kernel's WebAssembly module, base64. */
export const KERNEL_BASE64: string =
  "${Buffer.from(bytes).toString("base64")}";
`;

if (values.wasm !== undefined) {
  const file = resolve(values.wasm);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes);
}
if (values.check) {
  const committed = await readFile(target, "utf8").catch(() => "");
  if (committed !== text) {
    console.error(
      "src/wasm/kernel-bytes.ts is not what assembly/ compiles to: run node .ci/build-kernel.mjs",
    );
    process.exitCode = 1;
  }
} else {
  await writeFile(target, text);
  console.log(`src/wasm/kernel-bytes.ts: ${bytes.length} bytes of WebAssembly`);
}
