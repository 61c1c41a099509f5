/**
 * What the kernel must do, written with maps and arrays, and nothing else in mind than being
 * right.
 */
import type { Placement } from "../../src/wasm/kernel.ts";

/** A placement as plain data. */
export interface Groups {
  lanes: number[];
  members: number[][];
}

/** Copies a placement out of the kernel's memory. */
export function groupsOf(placement: Placement): Groups {
  const { groupCount, lanes, starts, order } = placement;
  const groups: Groups = { lanes: Array.from(lanes.subarray(0, groupCount)), members: [] };
  for (let g = 0; g < groupCount; g++) {
    groups.members.push(Array.from(order.subarray(starts[g]!, starts[g + 1]!)));
  }
  return groups;
}

/** Groups by the bin of each message. */
export function byBin(bins: readonly number[], binCount: number): Groups {
  const groups: Groups = { lanes: [], members: [] };
  const members: number[][] = Array.from({ length: binCount }, () => []);
  bins.forEach((bin, i) => {
    members[bin]!.push(i);
  });
  members.forEach((list, bin) => {
    if (list.length === 0) return;
    groups.lanes.push(bin);
    groups.members.push(list);
  });
  return groups;
}

/** floor(hash * binCount / 2^32), in exact arithmetic. */
export function binOf(hash: number, binCount: number): number {
  return Number((BigInt(hash) * BigInt(binCount)) >> 32n);
}

interface InFlight {
  count: number;
  lane: number;
}

/** The keys in flight, and the two placements that need them. */
export class TableOracle {
  readonly keys: Map<number, InFlight> = new Map();
  #free: number[] = [];
  #made = 0;

  finish(finished: readonly number[]): void {
    for (const hash of finished) {
      const key = this.keys.get(hash)!;
      key.count--;
      if (key.count > 0) continue;
      this.keys.delete(hash);
      this.#free.push(key.lane);
    }
    if (this.keys.size > 0) return;
    this.#free = [];
    this.#made = 0;
  }

  group(hashes: readonly number[]): Groups {
    const groups: Groups = { lanes: [], members: [] };
    for (const [hash, members] of membersByHash(hashes)) {
      let key = this.keys.get(hash);
      if (key === undefined) {
        key = { count: 0, lane: this.#free.pop() ?? this.#made++ };
        this.keys.set(hash, key);
      }
      key.count += members.length;
      groups.lanes.push(key.lane);
      groups.members.push(members);
    }
    return groups;
  }

  pack(hashes: readonly number[], givenLoads: readonly number[]): Groups {
    const loads = [...givenLoads];
    const fresh: { hash: number; members: number[] }[] = [];
    for (const [hash, members] of membersByHash(hashes)) {
      const key = this.keys.get(hash);
      if (key === undefined) {
        fresh.push({ hash, members });
      } else {
        key.count += members.length;
        loads[key.lane]! += members.length;
      }
    }
    fresh.sort((a, b) => b.members.length - a.members.length || a.members[0]! - b.members[0]!);
    for (const { hash, members } of fresh) {
      let lane = 0;
      for (let bin = 1; bin < loads.length; bin++) if (loads[bin]! < loads[lane]!) lane = bin;
      loads[lane]! += members.length;
      this.keys.set(hash, { count: members.length, lane });
    }
    return byBin(
      hashes.map((hash) => this.keys.get(hash)!.lane),
      loads.length,
    );
  }
}

function membersByHash(hashes: readonly number[]): Map<number, number[]> {
  const members = new Map<number, number[]>();
  hashes.forEach((hash, i) => {
    const list = members.get(hash);
    if (list === undefined) members.set(hash, [i]);
    else list.push(i);
  });
  return members;
}

/** xxHash32 as its specification says it, in exact arithmetic. */
export function xxh32Oracle(bytes: Uint8Array, seed: number): number {
  const mask = 0xffffffffn;
  const [p1, p2, p3, p4, p5] = [2654435761n, 2246822519n, 3266489917n, 668265263n, 374761393n];
  const rotate = (x: bigint, bits: bigint) => ((x << bits) | (x >> (32n - bits))) & mask;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number) => BigInt(view.getUint32(at, true));
  const s = BigInt(seed);
  let at = 0;
  let acc = (s + p5) & mask;
  if (bytes.length >= 16) {
    const lanes = [s + p1 + p2, s + p2, s, s - p1].map((lane) => lane & mask);
    for (; at + 16 <= bytes.length; at += 16) {
      for (let i = 0; i < 4; i++) {
        lanes[i] = (rotate((lanes[i]! + word(at + 4 * i) * p2) & mask, 13n) * p1) & mask;
      }
    }
    const turns = [1n, 7n, 12n, 18n];
    acc = lanes.reduce((sum, lane, i) => sum + rotate(lane, turns[i]!), 0n) & mask;
  }
  acc = (acc + BigInt(bytes.length)) & mask;
  for (; at + 4 <= bytes.length; at += 4) {
    acc = (rotate((acc + word(at) * p3) & mask, 17n) * p4) & mask;
  }
  for (; at < bytes.length; at++) {
    acc = (rotate((acc + BigInt(bytes[at]!) * p5) & mask, 11n) * p1) & mask;
  }
  acc = ((acc ^ (acc >> 15n)) * p2) & mask;
  acc = ((acc ^ (acc >> 13n)) * p3) & mask;
  return Number(acc ^ (acc >> 16n));
}
