import type { HotKey } from "./hot-key.ts";

/** Characters of a key that a line of text has room for. */
const SHOWN = 40;

/** A key between backticks, on one line, safe for terminals: \`x\`; bytes that are no text in base64. */
export function keyText({
  key,
  keyBase64,
  keyBytes,
}: Pick<HotKey, "key" | "keyBase64" | "keyBytes">): string {
  if (key === null) return `base64:${shorten(keyBase64 ?? "", false)}`;
  return `\`${shorten(escapeControls(key), keyBytes !== undefined)}\``;
}

function shorten(text: string, cut: boolean): string {
  const characters = [...text];
  return cut || characters.length > SHOWN ? `${characters.slice(0, SHOWN).join("")}…` : text;
}

/** Control characters and what reorders text could do anything to a terminal: \n becomes \u{a}. */
function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}
