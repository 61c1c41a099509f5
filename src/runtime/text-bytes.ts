interface BufferHost {
  readonly Buffer?: { from(text: string): Uint8Array; byteLength(text: string): number };
}

const { Buffer: HostBuffer } = globalThis as BufferHost;
const encoder: TextEncoder = new TextEncoder();

/** UTF-8 of a text: a `Buffer` where the runtime has one, which takes half the time for short texts. */
export function textBytes(text: string): Uint8Array {
  return HostBuffer === undefined ? encoder.encode(text) : HostBuffer.from(text);
}

/** Bytes that a text takes as UTF-8. */
export function textByteLength(text: string): number {
  return HostBuffer === undefined ? encoder.encode(text).length : HostBuffer.byteLength(text);
}
