/** How reports write keys and shares. */
import type { HotKey } from "./key-profile.ts";

/** Characters of a key that a line of text has room for. */
const SHOWN = 40;
/** Of a longer one the beginning and the end are shown: keys often differ in their last characters. */
const BEGINNING = 24;
const END: number = SHOWN - BEGINNING - 1;

/** A key on one line, safe for terminals: text between backticks, other bytes as 0xff00. */
export function keyText({
  key,
  keyBase64 = "",
  keyBytes,
}: Pick<HotKey, "key" | "keyBase64" | "keyBytes">): string {
  const cut = keyBytes !== undefined;
  if (key !== null) return `\`${shorten(escapeControls(key), cut)}\``;
  return shorten(`0x${Array.from(atob(keyBase64), hex).join("")}`, cut);
}

function hex(byte: string): string {
  return byte.charCodeAt(0).toString(16).padStart(2, "0");
}

/** @param cut The end is not known. */
function shorten(text: string, cut: boolean): string {
  const characters = [...text];
  if (!cut && characters.length <= SHOWN) return text;
  return [...characters.slice(0, BEGINNING), "…", ...(cut ? [] : characters.slice(-END))].join("");
}

/** Control characters and what reorders text could do anything to a terminal: a new line becomes \u{a}. */
function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

/** A share as people read it: 62 %, 6.2 %, 0.34 %, below 0.01 %. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0) return "0 %";
  if (value < 0.01) return "below 0.01 %";
  if (value < 1) return `${Number(value.toFixed(2))} %`;
  if (value < 10) return `${Number(value.toFixed(1))} %`;
  // "100 %" is said of all only.
  return `${share < 1 ? Math.min(99, Math.round(value)) : Math.round(value)} %`;
}
