/** A copy with memory of its own; that of a `Buffer` is one, too. */
export function copiedBytes(bytes: Uint8Array): Uint8Array {
  // slice() of a Buffer is a view; from() of the same class keeps `Buffer`s `Buffer`s.
  const own = bytes.constructor as unknown as { from(bytes: Uint8Array): Uint8Array };
  return own.from(bytes);
}
