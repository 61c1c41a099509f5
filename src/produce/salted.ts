import type { Partitioning } from "../types.ts";
import { Validator } from "../validate.ts";
import { type KeyHash, KeyHasher } from "./key-hash.ts";
import { RoundRobin } from "./round-robin.ts";

const check = new Validator("partition by salted key");
const KNOWN = ["salts", "hot", "hash"];
const MAX_SALTS = 10_000;

/** {@link salted}'s options. */
export interface SaltedOptions {
  /** Over how many partitions the records of a hot key are spread, 1 to 10,000; at most over all there are. */
  readonly salts: number;
  /** Which keys are hot; default: all. Gets the key as the record has it. */
  readonly hot?: (key: string | Uint8Array) => boolean;
  /** As in `messagesKey`; default "murmur2". */
  readonly hash?: KeyHash;
}

/** Scrambles a counter, so that keys that take turns do not each get the same salt again and again. */
function scramble(count: number): number {
  let h = Math.imul(count, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}

/**
 * As `messagesKey`, but the records of hot keys are spread over `salts` variants of the key: the key's own partition
 * and those that follow it. There is no order among the records of a hot key any more, and who adds up by key has to
 * add up its parts. All other keys, and records without a key, are placed as `messagesKey` places them.
 *
 * @throws {TypeError | RangeError} Naming the option.
 */
export function salted(options: SaltedOptions): Partitioning {
  check.knownKeys("salted", check.object("options", options), KNOWN);
  const { hot } = options;
  if (options.salts === undefined) throw check.typeError("salts must be a number", options.salts);
  const salts = check.integer("salts", options.salts, 1, 1, MAX_SALTS);
  if (hot !== undefined) check.callable("hot", hot);
  const hasher = new KeyHasher(check, options.hash);
  const turns = new RoundRobin();
  let count = 0;
  return {
    calculatePartitionId: (topic, { key }, partitionCount) => {
      if (key === undefined || key === null) return turns.next(topic, partitionCount);
      const own = hasher.of(key) % partitionCount;
      if (hot?.(key) === false) return own;
      count = (count + 1) >>> 0;
      const salt = scramble(count) % Math.min(salts, partitionCount);
      return (own + salt) % partitionCount;
    },
  };
}
