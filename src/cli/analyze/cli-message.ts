import type { Message, MessageHeaders } from "../../index.ts";

const decoder = new TextDecoder();

/** A message of a topic as far as `--key` looks at it. */
export class CliMessage {
  readonly partition: number;
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly #value: () => Uint8Array | null;
  readonly #headers: () => readonly (readonly [name: string, value: Uint8Array])[];

  constructor(
    partition: number,
    offset: number,
    key: Uint8Array | null,
    rest: {
      readonly value: () => Uint8Array | null;
      readonly headers: () => readonly (readonly [name: string, value: Uint8Array])[];
    },
  ) {
    this.partition = partition;
    this.offset = offset;
    this.key = key;
    this.#value = rest.value;
    this.#headers = rest.headers;
  }

  /** What partitioners of `--key` ask of headers. */
  get headers(): Pick<MessageHeaders, "get"> {
    const pairs = this.#headers();
    return { get: (name) => pairs.find(([one]) => one === name)?.[1] ?? null };
  }

  json(): unknown {
    const value = this.#value();
    return value === null ? null : JSON.parse(decoder.decode(value));
  }

  /** As partitioners take it; those of `--key` touch nothing that is not there. */
  asMessage(): Message {
    return this as unknown as Message;
  }
}
