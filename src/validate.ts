/** Checks of options: each failure names the act, the option, the rule and the value received. */

/** How a value is shown in an error message: short, on one line. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  if (typeof value === "function") return `a function${value.name ? ` (${value.name})` : ""}`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name = value.constructor?.name ?? "object";
  const keys = Object.keys(value).slice(0, 5).join(", ");
  return name === "Object" ? `{ ${keys} }` : `a ${name}`;
}

/** Checks for one kind of call; `act` completes "Cannot <act> as …". */
export class Validator {
  readonly #act: string;

  constructor(act: string) {
    this.#act = act;
  }

  typeError(rule: string, value: unknown): TypeError {
    return new TypeError(`Cannot ${this.#act} as ${rule}: received ${show(value)}`);
  }

  rangeError(rule: string, value: unknown): RangeError {
    return new RangeError(`Cannot ${this.#act} as ${rule}: received ${show(value)}`);
  }

  object(name: string, value: unknown): Record<string, unknown> {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw this.typeError(`${name} must be an object`, value);
    }
    return value as Record<string, unknown>;
  }

  knownKeys(name: string, value: object, known: readonly string[]): void {
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      const rule = `${name} has no option "${key}" (known: ${known.join(", ")})`;
      throw this.typeError(rule, (value as Record<string, unknown>)[key]);
    }
  }

  text(name: string, value: unknown): string {
    if (typeof value !== "string") throw this.typeError(`${name} must be a string`, value);
    if (value === "") throw this.rangeError(`${name} must not be empty`, value);
    return value;
  }

  bool(name: string, value: unknown, fallback: boolean): boolean {
    if (value === undefined) return fallback;
    if (typeof value !== "boolean") throw this.typeError(`${name} must be true or false`, value);
    return value;
  }

  number(name: string, value: unknown, fallback: number, min: number, max: number): number {
    if (value === undefined) return fallback;
    if (typeof value !== "number") throw this.typeError(`${name} must be a number`, value);
    if (!(value >= min && value <= max)) {
      throw this.rangeError(`${name} must be from ${min} to ${max}`, value);
    }
    return value;
  }

  integer(name: string, value: unknown, fallback: number, min: number, max: number): number {
    const number = this.number(name, value, fallback, min, max);
    if (!Number.isInteger(number)) throw this.rangeError(`${name} must be an integer`, value);
    return number;
  }

  oneOf<T extends string>(name: string, value: unknown, fallback: T, all: readonly T[]): T {
    if (value === undefined) return fallback;
    const rule = `${name} must be one of ${all.map((one) => `"${one}"`).join(", ")}`;
    if (typeof value !== "string") throw this.typeError(rule, value);
    if (!all.includes(value as T)) throw this.rangeError(rule, value);
    return value as T;
  }

  callable(name: string, value: unknown): void {
    if (typeof value !== "function") throw this.typeError(`${name} must be a function`, value);
  }
}
