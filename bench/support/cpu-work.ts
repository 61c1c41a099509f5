/** Handlers that compute, and the values that they compute from. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

const HASHES = 500;
const HASHED_BYTES = 1024;
const ITEMS = 147;
const encoder: TextEncoder = new TextEncoder();

/** Work of one kind. Values differ from offset to offset, and so do answers. */
export interface CpuWork {
  value(offset: number): Buffer;
  /** What the handler computes from the bytes of a value: above 0. */
  answer(message: CpuMessage): number;
}

/** What a handler asks of a message, whoever hands it over. */
export interface CpuMessage {
  readonly value: Uint8Array | null;
  json(): unknown;
}

interface Order {
  readonly id: number;
  readonly items: readonly { readonly price: number; readonly count: number }[];
}

const items: string = JSON.stringify(
  Array.from({ length: ITEMS }, (_, index) => ({
    sku: `SKU-${(index * 7919) % 100_000}`,
    title: `Article ${index}, as it says on the label`,
    price: 100 + ((index * 131) % 900),
    count: 1 + (index % 4),
    tags: ["new", "fragile", `shelf-${index % 12}`],
  })),
);

const sha256: CpuWork = {
  value: (offset) => Buffer.alloc(HASHED_BYTES, `value ${offset} `),
  answer: ({ value }) => {
    let digest = createHash("sha256").update(value!).digest();
    // Each hash takes the one before it in, so that none can be left out.
    for (let i = 1; i < HASHES; i++) {
      digest = createHash("sha256").update(digest).update(value!).digest();
    }
    return (digest.readUInt32LE() >>> 1) + 1;
  },
};

const json: CpuWork = {
  value: (offset) => Buffer.from(encoder.encode(`{"id":${offset},"items":${items}}`)),
  answer: (message) => {
    const order = message.json() as Order;
    let sum = 1 + order.id;
    for (const { price, count } of order.items) sum += price * count;
    return sum;
  },
};

/** SHA-256 500 times over 1 KB; JSON.parse of 18 KB. */
export const cpuWorks: Readonly<Record<"sha256" | "json", CpuWork>> = { sha256, json };

export type CpuWorkName = keyof typeof cpuWorks;

/** A value as a plain loop has it. */
export function plainMessage(value: Buffer): CpuMessage {
  return { value, json: () => JSON.parse(value.toString()) };
}
