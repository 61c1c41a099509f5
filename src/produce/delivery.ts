/** How records are delivered: what a producer and its variants may differ in. */
import type { Compression, Delivery } from "../source/source.ts";
import { Validator } from "../validate.ts";

const COMPRESSIONS: readonly Compression[] = ["none", "gzip", "snappy", "lz4", "zstd"];

/** Names of {@link DeliveryOptions}. */
export const DELIVERY_KEYS: readonly string[] = [
  "acks",
  "compression",
  "idempotent",
  "requestTimeoutMs",
  "deliveryTimeoutMs",
];

/** Delivery settings; a variant of a producer takes from it what it does not name. */
export interface DeliveryOptions {
  /**
   * Replicas that must have a record before it counts as stored: `"all"` in-sync ones (or -1, the same; the default),
   * 1 for the leader alone, 0 for none: nothing is waited for, offsets are unknown and losses are not noticed.
   */
  acks?: "all" | -1 | 0 | 1;
  /** Of each batch; default "none". What the sink lacks fails the records. */
  compression?: Compression;
  /** Batches whose answer was lost are not stored twice when they are sent again; needs acks "all". Default false. */
  idempotent?: boolean;
  /** How long the broker may wait for the replicas, 1 to 300,000 ms; default 30,000. */
  requestTimeoutMs?: number;
  /**
   * A batch that could not be stored for a cause that may pass is sent again for so long, counted from when
   * its first record had got room in the buffer, 0 to 86,400,000 ms; default 120,000. 0: it is sent once.
   */
  deliveryTimeoutMs?: number;
}

/** {@link DeliveryOptions}, checked and complete. One object for all records that share it. */
export interface ResolvedDelivery extends Delivery {
  readonly deliveryTimeoutMs: number;
}

/** What holds when nothing is said. */
export const DEFAULT_DELIVERY: ResolvedDelivery = {
  acks: -1,
  compression: "none",
  idempotent: false,
  requestTimeoutMs: 30_000,
  deliveryTimeoutMs: 120_000,
};

/**
 * Checks delivery options; `base` has what they do not name.
 *
 * @throws {TypeError | RangeError} Naming the option, the rule and the value.
 */
export function resolveDelivery(
  check: Validator,
  given: Readonly<Record<string, unknown>>,
  base: ResolvedDelivery,
): ResolvedDelivery {
  const { compression, idempotent, requestTimeoutMs, deliveryTimeoutMs } = given;
  const acks = toAcks(check, given.acks, base.acks);
  const exact = check.bool("idempotent", idempotent, base.idempotent);
  if (exact && acks !== -1) {
    throw check.rangeError(`acks must be "all" when idempotent is true`, acks);
  }
  return {
    acks,
    compression: check.oneOf("compression", compression, base.compression, COMPRESSIONS),
    idempotent: exact,
    requestTimeoutMs: check.integer(
      "requestTimeoutMs",
      requestTimeoutMs,
      base.requestTimeoutMs,
      1,
      300_000,
    ),
    deliveryTimeoutMs: check.number(
      "deliveryTimeoutMs",
      deliveryTimeoutMs,
      base.deliveryTimeoutMs,
      0,
      86_400_000,
    ),
  };
}

function toAcks(check: Validator, acks: unknown, base: -1 | 0 | 1): -1 | 0 | 1 {
  if (acks === undefined) return base;
  if (acks === "all" || acks === -1) return -1;
  if (acks === 0 || acks === 1) return acks;
  const rule = 'acks must be "all", -1, 0 or 1';
  if (typeof acks === "string" || typeof acks === "number") throw check.rangeError(rule, acks);
  throw check.typeError(rule, acks);
}

const checkVariant = new Validator("make a variant of a producer");

/**
 * Settings of a variant.
 *
 * @throws {TypeError | RangeError} Naming the option, the rule and the value.
 */
export function resolveVariant(options: unknown, base: ResolvedDelivery): ResolvedDelivery {
  const given = checkVariant.object("options", options);
  checkVariant.knownKeys("variant", given, DELIVERY_KEYS);
  return resolveDelivery(checkVariant, given, base);
}
