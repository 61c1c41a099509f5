/** Compiles the kernel once per process and makes one instance per lease. */
import { HeadraceError } from "../errors.ts";
import { KERNEL_BASE64 } from "./kernel-bytes.ts";
import { ABI_VERSION } from "./layout.ts";

/** What a kernel instance exports. Results are u32 that arrive signed: apply `>>> 0`. */
export interface KernelExports {
  readonly memory: WebAssembly.Memory;
  abiVersion(): number;
  murmur3(messageCount: number, base: number, seed: number): void;
  murmur2(messageCount: number, base: number): void;
  xxh32(messageCount: number, base: number, seed: number): void;
  makeTables(): void;
  crc32c(start: number, length: number, state: number): number;
  frames(frameCount: number, base: number, length: number, seed: number): number;
  finish(finishedCount: number, recycle: number): number;
  group(messageCount: number): number;
  place(messageCount: number, binCount: number): number;
  reduce(messageCount: number, binCount: number): number;
  pack(messageCount: number, binCount: number): number;
}

/** Turns the bytes of a WebAssembly module into one, at once. */
export type CompileKernel = (bytes: Uint8Array<ArrayBuffer>) => WebAssembly.Module;

/**
 * Compiles the bytes that the library ships.
 *
 * @returns null where the host forbids compiling or knows no WebAssembly: the twin then does all
 *   the work, which is why the error is dropped.
 */
export function compileKernel(
  compile: CompileKernel = (bytes) => new WebAssembly.Module(bytes),
): WebAssembly.Module | null {
  try {
    const text = atob(KERNEL_BASE64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const module = compile(bytes);
    return abiVersionOf(module) === ABI_VERSION ? module : null;
  } catch {
    return null;
  }
}

/** 0 when the module is no kernel at all. */
function abiVersionOf(module: WebAssembly.Module): number {
  const { abiVersion } = new WebAssembly.Instance(module, {}).exports;
  return typeof abiVersion === "function" ? Number(abiVersion()) : 0;
}

let current: WebAssembly.Module | null = compileKernel();

/**
 * Gives headrace a kernel that the host has compiled, for hosts that forbid compiling bytes: import
 * `headrace/kernel.wasm` there and pass it on before the first consumer is made. Kernels made
 * earlier keep theirs.
 *
 * @throws {HeadraceError} HEADRACE_KERNEL_ABI when the module belongs to another version of
 *   headrace.
 */
export function init(module: WebAssembly.Module): void {
  let received = 0;
  let cause: unknown;
  try {
    received = abiVersionOf(module);
  } catch (error) {
    cause = error;
  }
  if (received !== ABI_VERSION) {
    throw new HeadraceError(
      `Cannot use the kernel as its ABI version must be ${ABI_VERSION}: received ${received}`,
      { code: "HEADRACE_KERNEL_ABI", cause },
    );
  }
  current = module;
}

/**
 * Makes an instance with a memory of its own.
 *
 * @returns null when there is no module, or no address space for another memory: both are work for
 *   the twin.
 */
export function instantiateKernel(): KernelExports | null {
  if (current === null) return null;
  try {
    return new WebAssembly.Instance(current, {}).exports as unknown as KernelExports;
  } catch {
    return null;
  }
}
