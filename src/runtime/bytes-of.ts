interface BufferHost {
  readonly Buffer?: {
    from(memory: ArrayBufferLike, start: number, length: number): Uint8Array;
  };
}

const { Buffer: HostBuffer } = globalThis as BufferHost;

/** A view of memory, shared or not: a `Buffer` where the runtime has one, so that views of it are `Buffer`s too. */
export function bytesOf(memory: ArrayBufferLike, start: number, length: number): Uint8Array {
  return HostBuffer === undefined
    ? new Uint8Array(memory, start, length)
    : HostBuffer.from(memory, start, length);
}
