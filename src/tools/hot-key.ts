import type { WatchedKey } from "./space-saving.ts";

/** A key that many messages have. */
export interface HotKey {
  /** As text; null when its bytes are none. The first 256 bytes of a longer one. */
  readonly key: string | null;
  /** The bytes, where they are no text. */
  readonly keyBase64?: string;
  /** Length of the key in bytes, where only its beginning is told. */
  readonly keyBytes?: number;
  /** Messages; at most `error` too many. */
  readonly count: number;
  readonly error: number;
  /** count / messages, in [0, 1]. */
  readonly share: number;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

/** @param total Messages of the sample. */
export function hotKeyOf(watched: WatchedKey, total: number): HotKey {
  const { bytes, byteLength, count, error } = watched;
  const numbers = { count, error, share: Math.min(1, count / total) };
  const cut = byteLength > bytes.length ? { keyBytes: byteLength } : {};
  const text = textOf(bytes, byteLength > bytes.length);
  if (text !== null) return { key: text, ...cut, ...numbers };
  return { key: null, keyBase64: base64(bytes), ...cut, ...numbers };
}

/** @param cut The last character may be there in part. */
function textOf(bytes: Uint8Array, cut: boolean): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    if (!cut) return null;
  }
  const text = lenient.decode(bytes);
  const whole = text.replace(/\ufffd$/, "");
  return whole.includes("\ufffd") ? null : whole;
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
