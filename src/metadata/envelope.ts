import { crc32 } from "./crc32.ts";
import { decodeText, encodeText, type MetadataForm, textCapacity } from "./text-code.ts";

/*
 * The metadata string, in UTF-16 units:
 *
 *     mark │ sealed body, as text │ "." │ user text │ "."
 *       1  │          n           │  1  │     t     │  1      the last two only where there is user text
 *
 *     sealed body:  CRC-32, 4 bytes, big-endian │ body
 *
 * The mark names version and form. It is no letter of base64, so that tools which keep base64 there see garbage, and
 * do not take it for their own. The "." at the end is disposable: one client drops the last character, another one
 * appends NULs. The user's text stands as it is: packed, it could take more room than it has units.
 */
const MARKS: Readonly<Record<MetadataForm, string>> = { dense: "~", ascii: "!" };
const STOP = ".";
const CHECKSUM_BYTES = 4;

const encoder: TextEncoder = new TextEncoder();

/** What a metadata string holds. */
export interface Envelope {
  readonly body: Uint8Array;
  /** Text behind the body; "" also where there is none. */
  readonly userText: string;
}

/** Bytes of a body that fit into so many UTF-16 units beside a text; below 0: not even an empty one. */
export function bodyCapacity(maxLength: number, form: MetadataForm, userText: string): number {
  const around = MARKS[form].length + STOP.length;
  const behind = userText === "" ? 0 : userText.length + STOP.length;
  return textCapacity(maxLength - around - behind, form) - CHECKSUM_BYTES;
}

/**
 * Seals a body and writes it as text.
 *
 * @param offset The committed offset.
 * @param userText "" when there is none.
 */
export function writeEnvelope(
  body: Uint8Array,
  form: MetadataForm,
  offset: number,
  userText: string,
): string {
  const sealed = new Uint8Array(CHECKSUM_BYTES + body.length);
  new DataView(sealed.buffer).setUint32(0, checksum(body, offset, userText));
  sealed.set(body, CHECKSUM_BYTES);
  const text = MARKS[form] + encodeText(sealed, form) + STOP;
  return userText === "" ? text : text + userText + STOP;
}

/**
 * Reads what `writeEnvelope` wrote for the same committed offset.
 *
 * @param text Without NULs at its end.
 * @returns null for anything else: foreign text, another version, another offset, damage.
 */
export function readEnvelope(text: string, offset: number): Envelope | null {
  const form = formOf(text);
  if (form === null) return null;
  const stop = text.indexOf(STOP);
  const bodyEnd = stop < 0 ? text.length : stop;
  const sealed = decodeText(text.slice(1, bodyEnd), form);
  if (sealed === null || sealed.length < CHECKSUM_BYTES) return null;
  const written = new DataView(sealed.buffer).getUint32(0);
  const body = sealed.subarray(CHECKSUM_BYTES);
  const rest = text.slice(bodyEnd + 1);
  // A "." at the end may be the user's, if a client has dropped ours. The checksum knows.
  const userTexts = rest.endsWith(STOP) ? [rest.slice(0, -1), rest] : [rest];
  const userText = userTexts.find((one) => checksum(body, offset, one) === written);
  return userText === undefined ? null : { body, userText };
}

function formOf(text: string): MetadataForm | null {
  if (text.startsWith(MARKS.dense)) return "dense";
  return text.startsWith(MARKS.ascii) ? "ascii" : null;
}

/** Over the body, the committed offset and the text's UTF-8. */
function checksum(body: Uint8Array, offset: number, userText: string): number {
  const place = new Uint8Array(8);
  const view = new DataView(place.buffer);
  view.setUint32(0, Math.floor(offset / 2 ** 32));
  view.setUint32(4, offset % 2 ** 32);
  return crc32(body, place, encoder.encode(userText));
}
