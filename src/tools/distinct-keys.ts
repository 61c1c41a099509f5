/** Bits of a hash that choose a register. */
const INDEX_BITS = 14;
const REGISTERS: number = 1 << INDEX_BITS;
/** Bits of the other hash, whose leading zeros are counted. */
const RANK_BITS = 32;

/**
 * How many different keys a stream has, in 16 KiB: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier, 2007) with the
 * estimator of Ertl ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which needs no tables of
 * corrections. Standard error 1.04 / √16,384 = 0.8 %.
 */
export class DistinctKeys {
  readonly #registers = new Uint8Array(REGISTERS);

  /** Sees a key: two independent hashes of it, 32 bits each. Seeing it again changes nothing. */
  add(indexHash: number, rankHash: number): void {
    const index = indexHash >>> (32 - INDEX_BITS);
    const rank = Math.clz32(rankHash) + 1;
    if (rank > this.#registers[index]!) this.#registers[index] = rank;
  }

  /** @returns A whole number; 0 when nothing was seen. */
  estimate(): number {
    const ranks = new Float64Array(RANK_BITS + 2);
    for (const rank of this.#registers) ranks[rank] = ranks[rank]! + 1;
    let z = REGISTERS * tau(1 - ranks[RANK_BITS + 1]! / REGISTERS);
    for (let rank = RANK_BITS; rank >= 1; rank--) z = 0.5 * (z + ranks[rank]!);
    z += REGISTERS * sigma(ranks[0]! / REGISTERS);
    return Math.round(REGISTERS ** 2 / (2 * Math.LN2) / z);
  }
}

/** x + Σ x^(2^k) × 2^(k−1), Ertl's correction for few keys; endless when all registers are empty. */
function sigma(x: number): number {
  if (x === 1) return Number.POSITIVE_INFINITY;
  let [power, factor, sum, before] = [x, 1, x, Number.NaN];
  while (sum !== before) {
    power *= power;
    before = sum;
    sum += power * factor;
    factor += factor;
  }
  return sum;
}

/** (1 − x − Σ (1 − x^(2^−k))² × 2^−k) / 3, Ertl's correction for very many keys. */
function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let [root, factor, sum, before] = [x, 1, 1 - x, Number.NaN];
  while (sum !== before) {
    root = Math.sqrt(root);
    before = sum;
    factor *= 0.5;
    sum -= (1 - root) ** 2 * factor;
  }
  return sum / 3;
}
