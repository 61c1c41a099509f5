import type { CliMessage } from "./cli-message.ts";

/** How far reading is. */
export interface InputProgress {
  /** Share that is read, in [0, 1]; null when nobody knows how much there is. */
  readonly share: number | null;
}

/** Keys or messages to analyze, in parts that arrive together. */
export interface AnalysisInput {
  /** For people: "orders", "keys.txt", "standard input". */
  readonly name: string;
  /** Partitions of the topic; null when it is no topic. */
  readonly partitions: number | null;
  /**
   * Keys (null: none), or messages. Ends early, without an error, when the signal aborts.
   *
   * @throws {CommandError | HeadraceError} When it cannot be read.
   */
  parts(signal: AbortSignal): AsyncIterable<readonly (CliMessage | Uint8Array | null)[]>;
  progress(): InputProgress;
  close(): Promise<void>;
}
