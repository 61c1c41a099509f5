import type { ParsedArguments } from "./command.ts";
import { usageError } from "./command-error.ts";

/** Reads typed values out of parsed arguments; each failure names the option, the rule and the value. */
export class OptionValues {
  readonly #cannot: string;
  readonly #args: ParsedArguments;

  /** @param act The command's name, as in "Cannot <act> as …". */
  constructor(act: string, args: ParsedArguments) {
    this.#cannot = `Cannot ${act} as`;
    this.#args = args;
  }

  /** @throws {CommandError} When the option was not given. */
  required(name: string): string {
    const value = this.#args.text(name);
    if (value !== undefined) return value;
    throw usageError(`${this.#cannot} --${name} is required: received nothing`);
  }

  text(name: string): string | undefined {
    return this.#args.text(name);
  }

  /** A whole number inside [min, max], or undefined when the option was not given. */
  integer(name: string, min: number, max: number): number | undefined {
    const text = this.#args.text(name);
    if (text === undefined) return undefined;
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    const rule = `--${name} must be a whole number from ${min} to ${max}`;
    throw usageError(`${this.#cannot} ${rule}: received "${text}"`);
  }

  /** A number as JavaScript writes them, 0.5 or 1e6, or undefined when the option was not given. */
  number(name: string): number | undefined {
    const text = this.#args.text(name);
    if (text === undefined) return undefined;
    if (/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
    throw usageError(`${this.#cannot} --${name} must be a number: received "${text}"`);
  }

  oneOf<T extends string>(name: string, all: readonly T[]): T | undefined {
    const text = this.#args.text(name);
    if (text === undefined || all.includes(text as T)) return text as T | undefined;
    const rule = `--${name} must be ${all.slice(0, -1).join(", ")} or ${all.at(-1)}`;
    throw usageError(`${this.#cannot} ${rule}: received "${text}"`);
  }
}

/** An object of which some members may be missing. */
export type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without what is undefined: what was given. */
export function given<T extends object>(members: T): Given<T> {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Given<T>;
}
