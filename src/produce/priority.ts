import type { Partitioning, ProducerRecord } from "../types.ts";
import { Validator } from "../validate.ts";
import { RoundRobin } from "./round-robin.ts";

const check = new Validator("partition by priority");
const KNOWN = ["header", "value", "high", "others"];
const decoder = new TextDecoder();

/** {@link priority}'s options. */
export interface PriorityOptions {
  /** Name of the header that says how urgent a record is. */
  readonly header: string;
  /** What the header says of an urgent record; default "high". Of several values the first counts. */
  readonly value?: string;
  /** Partitions of urgent records. */
  readonly high: readonly number[];
  /** Partitions of all others. */
  readonly others: readonly number[];
}

/** Partitions that take turns, for each topic. */
class Turns {
  readonly #ids: readonly number[];
  readonly #turns = new RoundRobin();

  constructor(name: string, ids: unknown) {
    if (!Array.isArray(ids)) throw check.typeError(`${name} must be an array of partitions`, ids);
    if (ids.length === 0) throw check.rangeError(`${name} must name a partition`, ids);
    this.#ids = ids.map((id, i) => {
      if (id === undefined) throw check.typeError(`${name}[${i}] must be a number`, id);
      return check.integer(`${name}[${i}]`, id, 0, 0, 0x7fffffff);
    });
  }

  next(topic: string): number {
    return this.#ids[this.#turns.next(topic, this.#ids.length)] as number;
  }
}

/**
 * Urgent records to partitions of their own, so that consumers can read those first; round robin among the partitions
 * of a class, whatever the key. A class may share partitions with the other one.
 *
 * @throws {TypeError | RangeError} Naming the option. A partition that the topic lacks fails the record.
 */
export function priority(options: PriorityOptions): Partitioning {
  check.knownKeys("priority", check.object("options", options), KNOWN);
  const header = check.text("header", options.header);
  const value = options.value === undefined ? "high" : check.text("value", options.value);
  const [high, others] = [new Turns("high", options.high), new Turns("others", options.others)];
  return {
    calculatePartitionId: (topic, record) =>
      (textOf(record, header) === value ? high : others).next(topic),
  };
}

function textOf({ headers }: ProducerRecord, name: string): string | undefined {
  const given = headers?.[name];
  const first = Array.isArray(given) ? given[0] : given;
  return first === undefined || typeof first === "string" ? first : decoder.decode(first);
}
