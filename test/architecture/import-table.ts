/**
 * Who may import whom, in src/. A change of the architecture is a change of this table.
 *
 * A room is a folder of src/, or a set of files right in src/. Rooms import themselves freely.
 */
export interface Room {
  /** Rooms it may import from. */
  readonly imports: readonly string[];
  /** Rooms it may import types from. */
  readonly types?: readonly string[];
  /** May name Node, Bun or Deno: `node:` modules and the globals of a runtime. */
  readonly namesRuntime?: true;
  /** May name the `WebAssembly` global. */
  readonly namesWebAssembly?: true;
}

/** Files right in src/ that are no base files. The wiring is consumer.ts and what it was split into. */
export const rootFiles: Readonly<Record<string, string>> = {
  "index.ts": "index",
  "consumer.ts": "wiring",
  "commit-metadata.ts": "wiring",
  "dead-letters.ts": "wiring",
  "dispatches.ts": "wiring",
  "group-leases.ts": "wiring",
  "group-member.ts": "wiring",
  "intake.ts": "wiring",
  "lease-calls.ts": "wiring",
  "lease-handler.ts": "wiring",
  "live-batches.ts": "wiring",
  "marking.ts": "wiring",
  "module-handlers.ts": "wiring",
  "pipeline.ts": "wiring",
  "pipeline-host.ts": "wiring",
  "recovery.ts": "wiring",
  "report.ts": "wiring",
  "segment-inlet.ts": "wiring",
  "stall-watch.ts": "wiring",
};

const stages: readonly string[] = [
  "source",
  "group",
  "distribute",
  "schedule",
  "process",
  "mark",
  "commit",
];

export const rooms: Readonly<Record<string, Room>> = {
  base: { imports: ["metadata"], types: ["source"] },
  metadata: { imports: ["base"] },

  runtime: { imports: ["base"], namesRuntime: true },
  wasm: { imports: ["base"], namesWebAssembly: true },

  // The stages: none imports another one.
  source: { imports: ["base"] },
  group: { imports: ["base", "wasm"] },
  distribute: { imports: ["base", "wasm"] },
  schedule: { imports: ["base"] },
  // What a dead letter becomes is named by the contract of sinks.
  process: { imports: ["base", "worker"], types: ["source"] },
  mark: { imports: ["base"] },
  // What is committed, and the answers, are named by the contract of sources.
  commit: { imports: ["base"], types: ["source"] },
  // What a text in a commit may be is checked where it is given.
  worker: { imports: ["base", "metadata", "runtime"] },

  // Only these know all stages.
  wiring: {
    imports: ["base", "metadata", ...stages, "segments", "worker", "produce", "runtime", "wasm"],
  },

  log: { imports: ["base", "runtime", "wasm"], types: ["source"], namesRuntime: true },
  produce: { imports: ["base", "runtime", "wasm"], types: ["source"] },
  segments: { imports: ["base", "metadata", "runtime", "wasm"], types: ["source"] },
  tools: { imports: ["base", "runtime", "wasm"], types: ["source"] },
  adapters: { imports: ["base", "source", "log", "index"], types: ["produce"], namesRuntime: true },
  testing: { imports: ["base", "source", "index"] },

  // The command uses the package as its users do: through the entry points.
  cli: { imports: ["entry"], namesRuntime: true },

  index: { imports: ["base", "wiring", ...stages, "runtime", "wasm", "produce"] },
};
