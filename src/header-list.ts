import type { MessageHeaders } from "./types.ts";

const decoder = new TextDecoder();

class HeaderList implements MessageHeaders {
  readonly #pairs: readonly (readonly [string, Uint8Array])[];

  constructor(pairs: readonly (readonly [string, Uint8Array])[]) {
    this.#pairs = pairs;
  }

  get(name: string): Uint8Array | null {
    return this.#pairs.find((pair) => pair[0] === name)?.[1] ?? null;
  }

  text(name: string): string | null {
    const value = this.get(name);
    return value && decoder.decode(value);
  }

  has(name: string): boolean {
    return this.#pairs.some((pair) => pair[0] === name);
  }

  entries(): readonly (readonly [string, Uint8Array])[] {
    return this.#pairs;
  }
}

/** Headers over pairs that exist already, kept in their order with duplicates; look-ups scan the list. */
export function headerList(pairs: readonly (readonly [string, Uint8Array])[]): MessageHeaders {
  return new HeaderList(pairs);
}
