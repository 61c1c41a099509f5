import { describe, expect, test } from "bun:test";
import { decodeText, encodeText, textCapacity } from "../../src/metadata/text-code.ts";
import { same } from "../schedule/lanes.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

const FORMS = ["dense", "ascii"] as const;

describe("encodeText() and decodeText()", () => {
  for (const form of FORMS) {
    for (const seed of SEEDS) {
      test(`O5: keep all bytes: ${form} (seed ${seed})`, () => {
        withSeed(seed, (random) => {
          for (let length = 0; length < 70; length++) {
            // Zeros at the end are what a careless end loses.
            for (const zeros of [0, 1, 2, length]) {
              const bytes = Uint8Array.from({ length }, (_, i) =>
                i >= length - zeros ? 0 : Math.floor(random() * 256),
              );
              const text = encodeText(bytes, form);
              same(decodeText(text, form)?.join(), bytes.join());
              same(textCapacity(text.length, form) >= length, true);
              same(textCapacity(text.length - 1, form) < length, true);
            }
          }
        });
      });
    }

    test(`O5: no two texts say the same: ${form}`, () => {
      const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7);
      const text = encodeText(bytes, form);
      for (let at = 0; at < text.length; at++) {
        for (let bit = 0; bit < (form === "dense" ? 15 : 6); bit++) {
          const changed = text.slice(0, at) + flipped(text[at]!, bit, form) + text.slice(at + 1);
          same(decodeText(changed, form)?.join() === bytes.join(), false);
        }
      }
      expect(decodeText(`${text}${encodeText(new Uint8Array(0), form)}`, form)).not.toEqual(bytes);
      same(decodeText("", form), null);
    });
  }

  test("O5: dense characters survive UTF-8 and every normalisation, and are no controls", () => {
    const all = everyUnit();
    same(all.length, 32_768);
    same(new Set(all).size, 32_768);
    for (const form of ["NFC", "NFD", "NFKC", "NFKD"] as const) {
      same(all.normalize(form), all);
      const backwards = [...all].reverse().join("");
      same(backwards.normalize(form), backwards);
    }
    same(new TextDecoder().decode(new TextEncoder().encode(all)), all);
    same(all.isWellFormed(), true);
    same(/[\p{Cc}\p{Cf}\p{Cn}\p{Cs}\p{Z}\p{M}]/u.test(all), false);
    same(/[A-Za-z0-9+/=_.~!-]/.test(all), false);
  });
});

/** All 32,768 characters: values of 15 bits, put behind each other. */
function everyUnit(): string {
  let bits = "";
  for (let value = 0; value < 32_768; value++) bits += value.toString(2).padStart(15, "0");
  const bytes = Uint8Array.from({ length: bits.length / 8 }, (_, i) =>
    Number.parseInt(bits.slice(i * 8, i * 8 + 8), 2),
  );
  return encodeText(bytes, "dense").slice(0, 32_768);
}

const UNITS = {
  dense: everyUnit(),
  ascii: "ABCDEFGHIJKLMNOPQRUVWXadefghijklmnopqrstuvwxyz0123456789-_*()[]:",
};

function flipped(unit: string, bit: number, form: "dense" | "ascii"): string {
  return UNITS[form][UNITS[form].indexOf(unit) ^ (1 << bit)]!;
}
