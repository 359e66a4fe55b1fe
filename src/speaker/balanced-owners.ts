import { balanced } from '../election/balanced.ts';
import { candidacyOf } from '../election/candidacy.ts';
import { type AddressWish, type CandidateList, Candidates } from '../election/candidates.ts';
import { type Claim, resolveClaims } from '../election/claims.ts';
import type { Election, ElectionCluster } from '../election/metallb.ts';
import type { BallotAddress, BallotNode } from '../election/strategy.ts';
import { formatAddress } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';
import type { ObjectKey } from '../kubernetes/resource.ts';
import type { Store } from '../kubernetes/store.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Elections, View } from './decision.ts';
import type { SliceStore } from './service-reconciler.ts';
import { wishesOf } from './wishes.ts';

/** Between two decisions, in milliseconds: what changes meanwhile is decided together. */
const pause = 20;

export type BalancedOwnersOptions = {
  readonly services: Pick<Store<Service>, 'get' | 'keys'>;
  readonly slices: Pick<SliceStore, 'by'>;
  /** The same object while nothing in it has changed. */
  readonly view: () => View;
  /** Who says that the address is his. */
  readonly claimsOf: (address: string) => Iterable<Claim>;
  readonly isReturning: (node: string) => boolean;
  /** The Services to look at again: those that have changed, and those of addresses that have another owner. */
  readonly onDecided: (services: Iterable<ObjectKey>) => void;
  readonly clock: Clock;
};

/** One address, whichever Services have it. */
type Place = {
  readonly text: string;
  /** By Service; more than one where it is shared. */
  readonly wishes: Map<ObjectKey, AddressWish>;
  /** Those of all its Services, and what is on the ballot; undefined until looked up in #candidates. */
  list: CandidateList | undefined;
  entry: BallotAddress | undefined;
  owner: string | undefined;
};

/**
 * The owners of all addresses of the cluster, each by itself, as `balanced` elects them.
 *
 * - One ballot has every address of every Service that we serve. It is held at most once in 20 ms, at the end of the
 *   turn in which the first change came, however many there were.
 * - An address that several Services share is on it once, because it can be on one node only. Its candidates are the
 *   nodes that may announce it for all of these (../election/candidates.ts). If there is no such node, the address has
 *   an owner for those that can be served there, and none for the others.
 *
 * Invariant: #places has exactly the addresses of #services.
 */
export class BalancedOwners {
  readonly #options: BalancedOwnersOptions;
  /** What its addresses ask for; by their texts. */
  readonly #services = new Map<ObjectKey, ReadonlyMap<string, AddressWish>>();
  readonly #places = new Map<string, Place>();
  readonly #changed = new Set<ObjectKey>();
  /** What all that was read from, and decided from. */
  #view: View | undefined;
  #candidates: Candidates | undefined;
  #isDue = false;
  #decidedAt = Number.NEGATIVE_INFINITY;
  #pending: Timer | undefined;

  constructor(options: BalancedOwnersOptions) {
    this.#options = options;
  }

  /** The Service or one of its slices is another. */
  serviceChanged(key: ObjectKey): void {
    this.#changed.add(key);
    this.decideSoon();
  }

  /** Something else is another: the view, a claim, who is returning. */
  decideSoon(): void {
    this.#isDue = true;
    const { clock } = this.#options;
    this.#pending ??= clock.after(Math.max(0, this.#decidedAt + pause - clock.now()), () => this.flush());
  }

  /** Decides now, if anything has changed. Called by itself. */
  flush(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    if (!this.#isDue) return;
    this.#isDue = false;
    const { clock, onDecided } = this.#options;
    const affected = this.#decide();
    this.#decidedAt = clock.now();
    onDecided(affected);
  }

  /** As of the last decision; it is made now if there is none yet. Empty for a Service that cannot be announced. */
  electionsOf(service: ObjectKey): Elections {
    if (this.#view === undefined) this.flush();
    const elections = new Map<string, Election>();
    for (const [text, wish] of this.#services.get(service) ?? []) {
      const place = this.#places.get(text);
      const own = this.#candidates?.of(wish);
      if (place === undefined || own === undefined) continue;
      elections.set(text, electionOf(place, own));
    }
    return elections;
  }

  /** Decides nothing more, and forgets what it knows; until something changes. Idempotent. */
  clear(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    this.#isDue = false;
    this.#view = undefined;
    this.#candidates = undefined;
    this.#changed.clear();
    this.#services.clear();
    this.#places.clear();
  }

  /** Returns the Services that are affected; those that lost their owner first. */
  #decide(): ReadonlySet<ObjectKey> {
    const { services, view } = this.#options;
    const [before, now] = [this.#view, view()];
    const isReadAnew = before?.config !== now.config || before.loadBalancerClass !== now.loadBalancerClass;
    const changed = new Set(this.#changed);
    this.#changed.clear();
    if (isReadAnew) for (const key of [...services.keys(), ...this.#services.keys()]) changed.add(key);
    for (const key of changed) this.#read(key, now);
    if (this.#candidates === undefined || before?.cluster !== now.cluster) {
      this.#candidates = new Candidates(now.cluster);
      for (const place of this.#places.values()) place.list = place.entry = undefined;
    }
    this.#view = now;
    const affected = this.#elect(now, this.#candidates);
    for (const key of changed) affected.add(key);
    // By the labels of our node goes on which interfaces it announces.
    if (!sameLabels(before, now)) for (const key of services.keys()) affected.add(key);
    return affected;
  }

  #read(key: ObjectKey, { config, loadBalancerClass }: View): void {
    const { services, slices } = this.#options;
    const found = wishesOf(services.get(key), slices.by('service', key), config, loadBalancerClass);
    const wishes = 'withdraw' in found ? [] : found;
    const now = new Map(wishes.map((wish) => [formatAddress(wish.address), wish]));
    for (const text of this.#services.get(key)?.keys() ?? []) if (!now.has(text)) this.#remove(text, key);
    for (const [text, wish] of now) {
      const place = this.#places.get(text) ?? newPlace(text);
      place.wishes.set(key, wish);
      place.list = place.entry = undefined;
      this.#places.set(text, place);
    }
    if (now.size === 0) this.#services.delete(key);
    else this.#services.set(key, now);
  }

  #remove(text: string, key: ObjectKey): void {
    const place = this.#places.get(text);
    if (place === undefined) return;
    place.wishes.delete(key);
    place.list = place.entry = undefined;
    if (place.wishes.size === 0) this.#places.delete(text);
  }

  #elect({ cluster, hash }: View, candidates: Candidates): Set<ObjectKey> {
    const { claimsOf } = this.#options;
    const addresses: BallotAddress[] = [];
    for (const place of this.#places.values()) {
      place.list ??= listOf(place, candidates);
      const { names } = place.list;
      const holder = resolveClaims(place.text, claimsOf(place.text), (node) => names.has(node), hash)?.node;
      if (place.entry === undefined || place.entry.holder !== holder) place.entry = entryOf(place, place.list, holder);
      addresses.push(place.entry);
    }
    const owners = balanced.owners({ addresses, nodes: this.#nodes(cluster) }, hash);
    const [orphaned, moved] = [new Set<ObjectKey>(), new Set<ObjectKey>()];
    for (const place of this.#places.values()) {
      const owner = owners.get(place.text);
      if (owner === place.owner) continue;
      const affected = place.owner === undefined || cluster.members.has(place.owner) ? moved : orphaned;
      for (const key of place.wishes.keys()) affected.add(key);
      place.owner = owner;
    }
    return new Set([...orphaned, ...moved]);
  }

  #nodes({ nodes, members, ignoreExcludeLabel }: ElectionCluster): readonly BallotNode[] {
    const { isReturning } = this.#options;
    return [...nodes].flatMap((node) => {
      if (!members.has(node.name)) return [];
      const { weight } = candidacyOf(node, { election: 'balanced', oursAlone: true, ignoreExcludeLabel });
      return [{ name: node.name, weight, returning: isReturning(node.name) }];
    });
  }
}

function sameLabels(a: View | undefined, b: View): boolean {
  return a?.node.labels === b.node.labels || JSON.stringify(a?.node.labels) === JSON.stringify(b.node.labels);
}

function listOf({ wishes }: Place, candidates: Candidates): CandidateList {
  return candidates.together([...wishes.values()].map((wish) => candidates.of(wish)));
}

function newPlace(text: string): Place {
  return { text, wishes: new Map(), list: undefined, entry: undefined, owner: undefined };
}

/** Its group is the Service, or of several the first by name: the same on every node. */
function entryOf({ text, wishes }: Place, { candidates }: CandidateList, holder: string | undefined): BallotAddress {
  let service: string | undefined;
  for (const key of wishes.keys()) if (service === undefined || key < service) service = key;
  return { address: text, service: service ?? '', index: 0, candidates, holder };
}

/** For a Service whose own candidates these are. */
function electionOf({ owner, list }: Place, own: CandidateList): Election {
  const { candidates } = list ?? own;
  const mine = owner !== undefined && own.able.some(({ node }) => node === owner) ? owner : undefined;
  const excluded = own.excluded();
  if (mine !== undefined) return { owner: mine, reason: 'elected', candidates, excluded };
  const covered = excluded.some(({ why }) => why !== 'noMatchingAdvertisement') || own.able.length > 0;
  return { owner: undefined, reason: covered ? 'notOwner' : 'noMatchingAdvertisement', candidates, excluded };
}
