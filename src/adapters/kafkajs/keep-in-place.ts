/** Deals partitions to members and leaves them where they are, as far as balance allows (rule R9). */
import type { TopicPartition } from "../../types.ts";
import type { OwnedPartitions } from "./owned-partitions.ts";
import { Share, type Slot } from "./share.ts";

/** A member as the leader of the group sees it. */
export interface GroupMember {
  readonly memberId: string;
  /** What it subscribes to; null when that cannot be told: then everything. */
  readonly topics: ReadonlySet<string> | null;
  /** What it says it owns; null when it says nothing. */
  readonly owned: OwnedPartitions | null;
}

/** Partitions that differ by no more than this are in balance. */
const MAX_DIFFERENCE = 1;

function nameOf(topic: string, partition: number): string {
  return `${partition}/${topic}`;
}

/**
 * Owners by partition. A claim of a later generation beats an older one: that member missed a join.
 * Two claims of one generation cannot both be true, so neither counts: nobody could say which
 * member still has the partition's work, and who guesses wrong moves it twice.
 */
function ownersOf(members: readonly GroupMember[], shares: readonly Share[]): Map<string, Share> {
  const claims = new Map<string, { generation: number; share: Share | null }>();
  for (const [index, { owned }] of members.entries()) {
    const share = shares[index] as Share;
    for (const [topic, partitions] of owned?.topics ?? []) {
      if (!share.takes(topic)) continue;
      const { generation } = owned as OwnedPartitions;
      for (const partition of partitions) {
        const name = nameOf(topic, partition);
        const other = claims.get(name);
        if (other === undefined || other.generation < generation) {
          claims.set(name, { generation, share });
        } else if (other.generation === generation && other.share !== share) {
          other.share = null;
        }
      }
    }
  }
  const owners = new Map<string, Share>();
  for (const [name, { share }] of claims) if (share !== null) owners.set(name, share);
  return owners;
}

/** Who takes a free partition: fewest partitions, then fewest of the topic, then the first. */
function takerOf(shares: readonly Share[], topic: string): Share | null {
  let taker: Share | null = null;
  for (const share of shares) {
    if (!share.takes(topic)) continue;
    const more = taker === null ? -1 : share.load - taker.load;
    const moreOfTopic = more === 0 ? share.countOf(topic) - (taker as Share).countOf(topic) : more;
    if (moreOfTopic < 0) taker = share;
  }
  return taker;
}

/**
 * The shortest chain of members from `from` to one that is lighter by more than the difference
 * allowed, where each may give a partition to the next; of the nearest the lightest. null: there is
 * none.
 */
function chainFrom(from: Share, shares: readonly Share[]): Share[] | null {
  const before = new Map<Share, Share | null>([[from, null]]);
  for (let level = [from]; level.length > 0; ) {
    const next: Share[] = [];
    let end: Share | null = null;
    for (const giver of level) {
      for (const taker of shares) {
        if (before.has(taker) || !giver.mayGiveTo(taker)) continue;
        before.set(taker, giver);
        next.push(taker);
        const lighter = from.load - taker.load > MAX_DIFFERENCE;
        if (lighter && (end === null || taker.load < end.load)) end = taker;
      }
    }
    if (end !== null) {
      const chain: Share[] = [];
      for (let at: Share | null = end; at !== null; at = before.get(at) ?? null) chain.push(at);
      return chain;
    }
    level = next;
  }
  return null;
}

/** From the heaviest that can become lighter; null when nobody can. Ends with the heaviest. */
function nextChain(shares: readonly Share[]): Share[] | null {
  const least = Math.min(...shares.map(({ load }) => load));
  const heavy = shares.filter(({ load }) => load - least > MAX_DIFFERENCE);
  for (const from of heavy.sort((a, b) => b.load - a.load)) {
    const chain = chainFrom(from, shares);
    if (chain !== null) return chain;
  }
  return null;
}

/**
 * Deals all partitions: owners keep theirs, free ones go to whoever has the fewest, and then the
 * heaviest members give to lighter ones until no chain of gifts would make the shares more equal.
 *
 * With equal subscriptions every member ends with ⌊n/m⌋ or ⌈n/m⌉ partitions and the fewest possible
 * have moved; where nobody owns anything this is round robin. With different subscriptions the
 * shares are as equal as subscriptions allow: no cost-reducing path is left, which is the
 * optimality condition for semi-matchings (Harvey, Ladner, Lovász, Tamir: Semi-matchings for
 * bipartite graphs and load balancing, 2003). Now and then one partition more moves than must.
 *
 * @param members In the order in which free partitions are dealt.
 * @returns The members' partitions, in the order of `partitions`. One of a topic that nobody takes
 *   is left out.
 */
export function keepInPlace(
  members: readonly GroupMember[],
  partitions: readonly TopicPartition[],
): Map<string, TopicPartition[]> {
  const shares = members.map(({ memberId, topics }) => new Share(memberId, topics));
  const owners = ownersOf(members, shares);
  const slots = partitions.map(({ topic, partition }): Slot => {
    return { topic, partition, owner: owners.get(nameOf(topic, partition)) ?? null };
  });
  for (const slot of slots) slot.owner?.add(slot);
  for (const slot of slots) if (slot.owner === null) takerOf(shares, slot.topic)?.add(slot);
  for (let chain = nextChain(shares); chain !== null; chain = nextChain(shares)) {
    for (const [index, taker] of chain.slice(0, -1).entries()) {
      (chain[index + 1] as Share).giveTo(taker);
    }
  }
  const holders = new Map<Slot, Share>();
  for (const share of shares) for (const slot of share.slots()) holders.set(slot, share);
  const dealt = new Map<string, TopicPartition[]>(members.map(({ memberId }) => [memberId, []]));
  for (const slot of slots) {
    const { topic, partition } = slot;
    dealt.get(holders.get(slot)?.memberId ?? "")?.push({ topic, partition });
  }
  return dealt;
}
