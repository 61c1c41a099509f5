declare module "async-append-only-log" {
  import type { Buffer } from "node:buffer";

  interface OffsetLog {
    onLoad(run: () => void): () => void;
    append(data: Buffer | readonly Buffer[], done: (error: Error | null) => void): void;
    onDrain(run: () => void): void;
    stream(options: object): {
      pipe(sink: {
        paused: boolean;
        write(item: { offset: number; value: Buffer }): void;
        end(error?: Error): void;
      }): void;
    };
    close(done: () => void): void;
  }

  /** Opens or makes the log in a file. */
  function offsetLog(
    file: string,
    options: { readonly blockSize?: number; readonly writeTimeout?: number },
  ): OffsetLog;

  export = offsetLog;
}
