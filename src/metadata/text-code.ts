/** How bytes become text: 15 bits per UTF-16 unit, or 6 for brokers that count bytes. */
export type MetadataForm = "dense" | "ascii";

/** Bits per UTF-16 unit. */
const UNIT_BITS: Readonly<Record<MetadataForm, number>> = { dense: 15, ascii: 6 };
/**
 * Letters and digits without S, T, Y, Z, b and c, and eight signs.
 *
 * A map of Parallel Consumer is base64 that starts with one of those six, and has no checksum. Made of base64's own
 * alphabet, a text of ours that lost its start and its end could happen to be such a map, and skip messages.
 */
const ASCII = "ABCDEFGHIJKLMNOPQRUVWXadefghijklmnopqrstuvwxyz0123456789-_*()[]:";
const ASCII_VALUES: Int8Array = asciiValues();

/*
 * 32,768 characters of the basic plane which no normalisation form changes, alone or together, and which UTF-8 keeps:
 *
 *     value   0 … 27647   U+3400 … U+9FFF   CJK ideographs and hexagrams, without the compatibility ones
 *     value   … 32767     U+E000 … U+F3FF   the first 5,120 of the private use area
 *
 * Kafka limits the UTF-16 units of metadata, not its bytes: these are the fullest units that are safe.
 */
const FIRST_LOW = 0x3400;
const FIRST_HIGH = 0xe000;
const LOW_COUNT = 0xa000 - FIRST_LOW;
const VALUE_COUNT = 1 << 15;
/** The byte behind the last one, as far as it is written: a 1 and zeros. */
const END_MARK = 0x80;
/** Arguments of one call of String.fromCharCode. */
const CHUNK_UNITS = 4096;

/** Bytes that fit into so many UTF-16 units; below 0: there is no room for the end mark. */
export function textCapacity(maxUnits: number, form: MetadataForm): number {
  return Math.floor((maxUnits * UNIT_BITS[form] - 1) / 8);
}

/** UTF-16 units that so many bytes take. */
function unitsOf(byteCount: number, width: number): number {
  return Math.ceil((byteCount * 8 + 1) / width);
}

/**
 * Writes bytes as text: their bits, a 1 as end mark, and zeros up to the unit. O(bytes).
 *
 * @returns Text without any of the characters that an envelope starts and ends with.
 */
export function encodeText(bytes: Uint8Array, form: MetadataForm): string {
  const width = UNIT_BITS[form];
  const toUnit = form === "dense" ? denseUnit : asciiUnit;
  const units = new Uint16Array(unitsOf(bytes.length, width));
  let pending = 0;
  let pendingCount = 0;
  let from = 0;
  for (let at = 0; at < units.length; at++) {
    while (pendingCount < width) {
      const byte = bytes[from] ?? (from === bytes.length ? END_MARK : 0);
      pending = (pending << 8) | byte;
      pendingCount += 8;
      from++;
    }
    pendingCount -= width;
    units[at] = toUnit(pending >>> pendingCount);
    pending &= (1 << pendingCount) - 1;
  }
  let text = "";
  for (let at = 0; at < units.length; at += CHUNK_UNITS) {
    text += String.fromCharCode(...units.subarray(at, at + CHUNK_UNITS));
  }
  return text;
}

/** Reads what `encodeText` wrote; null when it did not write this. O(units). */
export function decodeText(text: string, form: MetadataForm): Uint8Array | null {
  const width = UNIT_BITS[form];
  const toValue = form === "dense" ? denseValue : asciiValue;
  const bytes = new Uint8Array(Math.ceil((text.length * width) / 8));
  let pending = 0;
  let pendingCount = 0;
  let to = 0;
  for (let at = 0; at < text.length; at++) {
    const value = toValue(text.charCodeAt(at));
    if (value < 0) return null;
    pending = (pending << width) | value;
    pendingCount += width;
    while (pendingCount >= 8) {
      pendingCount -= 8;
      bytes[to++] = pending >>> pendingCount;
      pending &= (1 << pendingCount) - 1;
    }
  }
  if (pendingCount > 0) bytes[to++] = pending << (8 - pendingCount);
  let length = to - 1;
  while (length >= 0 && bytes[length] === 0) length--;
  if (bytes[length] !== END_MARK || unitsOf(length, width) !== text.length) return null;
  return bytes.subarray(0, length);
}

function denseUnit(value: number): number {
  return value < LOW_COUNT ? FIRST_LOW + value : FIRST_HIGH + value - LOW_COUNT;
}

function denseValue(unit: number): number {
  if (unit >= FIRST_LOW && unit < FIRST_LOW + LOW_COUNT) return unit - FIRST_LOW;
  const value = unit - FIRST_HIGH + LOW_COUNT;
  return value >= LOW_COUNT && value < VALUE_COUNT ? value : -1;
}

function asciiUnit(value: number): number {
  return ASCII.charCodeAt(value);
}

function asciiValue(unit: number): number {
  return unit < ASCII_VALUES.length ? ASCII_VALUES[unit]! : -1;
}

function asciiValues(): Int8Array {
  const values = new Int8Array(128).fill(-1);
  for (let value = 0; value < ASCII.length; value++) values[ASCII.charCodeAt(value)] = value;
  return values;
}
