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
import { FreshLosses, isFresh, ownersOf, type Tenure } from './fresh-losses.ts';
import type { SliceStore } from './service-reconciler.ts';
import { addressTexts, SpreadAddresses } from './spread-addresses.ts';
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
  /** Who it was before the last changes, if several followed one another, and until when. */
  before: Tenure | undefined;
};

/**
 * The owners of addresses that are elected each by itself, as `balanced` elects them.
 *
 * - One ballot has every address of every Service that we serve; with `metallb` those that ./spread-addresses.ts has,
 *   and the others mean nothing to it. It is held at most once in 20 ms, at the end of the turn in which the first
 *   change came, however many there were.
 * - An address that several Services share is on it once, because it can be on one node only. Its candidates are the
 *   nodes that may announce it for all of these (../election/candidates.ts). If there is no such node, the address has
 *   an owner for those that can be served there, and none for the others.
 *
 * Invariant: #places has exactly the addresses of #services, and all of them are on the ballot.
 */
export class BalancedOwners {
  readonly #options: BalancedOwnersOptions;
  /** What its addresses ask for; by their texts. */
  readonly #services = new Map<ObjectKey, ReadonlyMap<string, AddressWish>>();
  readonly #places = new Map<string, Place>();
  /** Of no importance with `balanced`. */
  readonly #spread = new SpreadAddresses();
  readonly #losses = new FreshLosses();
  readonly #changed = new Set<ObjectKey>();
  /** What all that was read from, and decided from. */
  #view: View | undefined;
  #candidates: Candidates | undefined;
  #isDue = false;
  #decidedAt = Number.NEGATIVE_INFINITY;
  #pending: Timer | undefined;
  /** Decides again when no loss is fresh any more. */
  #later: Timer | undefined;

  constructor(options: BalancedOwnersOptions) {
    this.#options = options;
  }

  /** The Service or one of its slices is another. */
  serviceChanged(key: ObjectKey): void {
    if (this.#concerns(key)) {
      this.#changed.add(key);
      this.decideSoon();
    } else {
      this.#options.onDecided([key]);
    }
  }

  /** Whether the Service has changed, and is to be looked at when that has been decided on: not before. */
  isAwaited(key: ObjectKey): boolean {
    return this.#changed.has(key);
  }

  /** Something else is another: the view, a claim, who is returning. */
  decideSoon(): void {
    this.#isDue = true;
    const { clock } = this.#options;
    this.#pending ??= clock.after(Math.max(0, this.#decidedAt + pause - clock.now()), () => this.flush());
  }

  /** The same, now; unless the last decision is less than 20 ms ago. */
  decideIfRested(): void {
    this.decideSoon();
    if (this.#options.clock.now() >= this.#decidedAt + pause) this.flush();
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

  /** As of the last decision; it is made now if there is none yet. Empty where none of the addresses is on the ballot. */
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
    this.#later?.cancel();
    this.#losses.clear();
    this.#isDue = false;
    this.#view = undefined;
    this.#candidates = undefined;
    this.#changed.clear();
    this.#services.clear();
    this.#places.clear();
    this.#spread.clear();
  }

  #concerns(key: ObjectKey): boolean {
    const { services, view } = this.#options;
    if (view().strategy === 'balanced' || this.#services.has(key)) return true;
    return this.#spread.concerns(key, services.get(key));
  }

  /** Returns the Services that are affected; those that lost their owner first. */
  #decide(): ReadonlySet<ObjectKey> {
    const { services, view } = this.#options;
    const [before, now] = [this.#view, view()];
    const changed = this.#toRead(before, now);
    for (const key of changed) this.#read(key, now);
    if (this.#candidates === undefined || before?.cluster !== now.cluster) {
      this.#candidates = new Candidates(now.cluster);
      this.#losses.see(now.cluster, this.#options.clock.now());
      for (const place of this.#places.values()) place.list = place.entry = undefined;
    }
    this.#view = now;
    const affected = this.#elect(now, this.#candidates);
    for (const key of changed) affected.add(key);
    // By the labels of our node goes on which interfaces it announces.
    if (!sameLabels(before, now)) {
      for (const key of now.strategy === 'balanced' ? services.keys() : this.#services.keys()) affected.add(key);
    }
    return affected;
  }

  /** The Services that ask for something else than was last read, or may. */
  #toRead(before: View | undefined, now: View): ReadonlySet<ObjectKey> {
    const { services } = this.#options;
    const keys = new Set(this.#changed);
    this.#changed.clear();
    const isReadAnew =
      before?.config !== now.config ||
      before.loadBalancerClass !== now.loadBalancerClass ||
      before.strategy !== now.strategy;
    if (isReadAnew) for (const key of this.#services.keys()) keys.add(key);
    if (now.strategy === 'balanced') {
      this.#spread.clear();
      if (isReadAnew) for (const key of services.keys()) keys.add(key);
      return keys;
    }
    const seen = isReadAnew ? [...keys, ...services.keys()] : keys;
    const differing = new Set([...seen].flatMap((key) => this.#spread.see(key, services.get(key))));
    if (differing.size === 0 && (!isReadAnew || this.#spread.isEmpty)) return keys;
    // One look at all for however many changes: whoever has an address that came to the ballot, or left it.
    const isMet = (text: string) => differing.has(text) || (isReadAnew && this.#spread.has(text));
    for (const key of services.keys()) if (addressTexts(services.get(key)).some(isMet)) keys.add(key);
    return keys;
  }

  #read(key: ObjectKey, { config, loadBalancerClass, strategy }: View): void {
    const { services, slices } = this.#options;
    const found = wishesOf(services.get(key), slices.by('service', key), config, loadBalancerClass);
    const wishes = 'withdraw' in found ? [] : found;
    const all = wishes.map((wish) => [formatAddress(wish.address), wish] as const);
    const now = new Map(strategy === 'balanced' ? all : all.filter(([text]) => this.#spread.has(text)));
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
    if (this.#places.size === 0) return new Set();
    const { claimsOf, clock } = this.#options;
    const now = clock.now();
    const fresh = this.#losses.forget(now);
    const addresses: BallotAddress[] = [];
    const taken: BallotAddress[] = [];
    for (const place of this.#places.values()) {
      place.list ??= listOf(place, candidates);
      const { names } = place.list;
      const claims = claimsOf(place.text);
      const claim = resolveClaims(place.text, claims, (node) => names.has(node), hash);
      const holder = claim?.node;
      const rival = rivalOf(claims, holder, names);
      if (place.entry === undefined || place.entry.holder !== holder || place.entry.rival !== rival)
        place.entry = this.#entryOf(place, place.list, holder, rival);
      addresses.push(place.entry);
      if (this.#losses.isTaken(claims, claim, place.before, now)) taken.push(place.entry);
    }
    this.#later?.cancel();
    if (fresh !== undefined && taken.length > 0) this.#later = clock.after(fresh, () => this.decideSoon());
    const owners = ownersOf({ addresses, nodes: this.#nodes(cluster) }, taken, hash);
    const [orphaned, moved] = [new Set<ObjectKey>(), new Set<ObjectKey>()];
    for (const place of this.#places.values()) {
      const owner = owners.get(place.text);
      if (owner === place.owner) continue;
      const affected = place.owner === undefined || cluster.members.has(place.owner) ? moved : orphaned;
      for (const key of place.wishes.keys()) affected.add(key);
      if (!isFresh(place.before, now)) {
        place.before = place.owner === undefined ? undefined : { node: place.owner, until: now };
      }
      place.owner = owner;
    }
    return new Set([...orphaned, ...moved]);
  }

  /**
   * Its group: what its Service has of its family, or all the Service has if it has no other of it, so that with three
   * of both families on three nodes each node has one of each. Of several Services that with the most, and the first
   * by name: the same on every node.
   */
  #entryOf(
    place: Place,
    { candidates }: CandidateList,
    holder: string | undefined,
    rival: string | undefined,
  ): BallotAddress {
    const { text, wishes } = place;
    let service = '';
    let most = 0;
    for (const [key, { address }] of wishes) {
      const all = [...(this.#services.get(key)?.values() ?? [])];
      const count = all.filter((wish) => wish.address.family === address.family).length;
      if (count < most || (count === most && key >= service)) continue;
      [service, most] = [key, count];
    }
    const [first] = wishes.values();
    const group = most > 1 && first !== undefined ? `${service} IPv${first.address.family}` : service;
    return { address: text, service: group, index: 0, candidates, holder, rival };
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

/** Who else says that he has it, and may; the first by name. */
function rivalOf(claims: Iterable<Claim>, holder: string | undefined, names: ReadonlySet<string>): string | undefined {
  let rival: string | undefined;
  for (const { node } of claims) {
    if (node !== holder && names.has(node) && (rival === undefined || node < rival)) rival = node;
  }
  return rival;
}

function listOf({ wishes }: Place, candidates: Candidates): CandidateList {
  return candidates.together([...wishes.values()].map((wish) => candidates.of(wish)));
}

function newPlace(text: string): Place {
  return { text, wishes: new Map(), list: undefined, entry: undefined, owner: undefined, before: undefined };
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
