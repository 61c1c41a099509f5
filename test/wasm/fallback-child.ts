/** Run by module.test.ts in a process of its own: the library in a host that forbids compiling. */
class Forbidden {
  constructor() {
    throw new Error("Wasm code generation disallowed by embedder");
  }
}
const { Module } = WebAssembly;
WebAssembly.Module = Forbidden as unknown as typeof WebAssembly.Module;

const { Kernel, init } = await import("../../src/wasm/kernel.ts");
const { KERNEL_BASE64 } = await import("../../src/wasm/kernel-bytes.ts");

function place(): { engine: string; lanes: number[] } {
  const kernel = new Kernel();
  const hashes = kernel.hashColumn(100);
  for (let i = 0; i < 100; i++) hashes[i] = Math.imul(i % 10, 0x9e3779b1);
  const { lanes, groupCount } = kernel.group(100, new Uint32Array(0), 0);
  return { engine: kernel.engine, lanes: Array.from(lanes.subarray(0, groupCount)) };
}

const before = place();
init(new Module(Uint8Array.from(atob(KERNEL_BASE64), (unit) => unit.charCodeAt(0))));
console.log(JSON.stringify({ before, after: place() }));
