import type { Partitioner } from "./types.ts";

/** By the message key: who knows it need not call it, as it finds the keys itself. */
export const byMessageKey: Partitioner = (message) => message.key;

const unstable = new WeakMap<Partitioner, string>();

/** Notes that this one answers anew each time that it is called. */
export function unstablePartitioner(name: string, partitioner: Partitioner): Partitioner {
  unstable.set(partitioner, name);
  return partitioner;
}

/** The name of a partitioner that answers anew each time that it is called; undefined for all others. */
export function unstableName(partitioner: Partitioner): string | undefined {
  return unstable.get(partitioner);
}
