import { mergeAttributes } from '../../bgp/attributes.ts';
import { PrefixIndex } from '../../bgp/prefix-index.ts';
import type { Route, RouteAttributes } from '../../bgp/route.ts';
import type { Prefix } from '../../ip/prefix.ts';
import type { ObjectKey } from '../../kubernetes/resource.ts';
import type { Telling, ToldRoute } from './routes.ts';

/** What is other than before for one peer: each prefix once, in one of the two. */
export type PeerChanges = { readonly announce: readonly Route[]; readonly withdraw: readonly Prefix[] };

/**
 * The routes of all Services together. Several may have one prefix, such as an aggregate around their addresses: it is
 * announced while one of them has it, with all their communities and of each preference the one that routers prefer.
 *
 *     Service ──▶ its routes                      as they were given
 *     prefix  ──▶ telling                         who is told what: as all Services that have it say together
 *             ──▶ shares, where these are several telling ──▶ how many of them say that
 *
 * A change costs what its Service has, and for a shared prefix one step for each way in which Services share it, which
 * depends on advertisements and not on Services.
 */
export class RouteTable {
  readonly #services = new Map<ObjectKey, readonly ToldRoute[]>();
  readonly #prefixes = { 4: new TellingTable(4), 6: new TellingTable(6) };

  /** How many prefixes are told to anybody. */
  get size(): number {
    return this.#prefixes[4].size + this.#prefixes[6].size;
  }

  /** Whether the Service has any routes. */
  has(service: ObjectKey): boolean {
    return this.#services.has(service);
  }

  /**
   * The Service has these routes, each prefix once, and no others; none when it is withdrawn. Returns what changes, by
   * peer, and nothing of peers for which nothing does.
   */
  set(service: ObjectKey, routes: readonly ToldRoute[]): ReadonlyMap<string, PeerChanges> {
    const changes = new Changes();
    const before = this.#services.get(service) ?? [];
    if (routes.length === 0) this.#services.delete(service);
    else this.#services.set(service, routes);
    // What comes goes in before what goes comes out: a prefix that the Service keeps is never without a user.
    const touched = { 4: new Map<number, Telling | undefined>(), 6: new Map<number, Telling | undefined>() };
    for (const { prefix, telling } of routes) {
      const { entry, was } = this.#prefixes[prefix.family].add(prefix, telling);
      touched[prefix.family].set(entry, was);
    }
    for (const { prefix, telling } of before) {
      const { entry, was } = this.#prefixes[prefix.family].remove(prefix, telling);
      if (!touched[prefix.family].has(entry)) touched[prefix.family].set(entry, was);
    }
    for (const family of [4, 6] as const) {
      for (const [entry, was] of touched[family]) {
        const { prefix, now } = this.#prefixes[family].settle(entry);
        changes.note(prefix, was, now);
      }
    }
    return changes.byPeer();
  }

  /** All that one peer is to be told. */
  *routesTo(peer: string): Generator<Route> {
    for (const family of [4, 6] as const) yield* this.#prefixes[family].routesTo(peer);
  }
}

/** The prefixes of one family. Numbers of prefixes are valid until the next `settle` of that number. */
class TellingTable {
  readonly #index: PrefixIndex;
  /** By the number of the prefix: what all say together; undefined: nobody says anything. */
  readonly #tellings: (Telling | undefined)[] = [];
  /** Where several Services have the prefix. */
  readonly #shares = new Map<number, Map<Telling, number>>();

  constructor(family: 4 | 6) {
    this.#index = new PrefixIndex(family);
  }

  get size(): number {
    return this.#index.size;
  }

  /** One more Service says this. `was` is what all said before. */
  add(prefix: Prefix, telling: Telling): { readonly entry: number; readonly was: Telling | undefined } {
    const entry = this.#index.add(prefix);
    const was = this.#tellings[entry];
    if (was === undefined) {
      this.#tellings[entry] = telling;
      return { entry, was };
    }
    const shares = this.#shares.get(entry) ?? new Map([[was, 1]]);
    const others = shares.get(telling) ?? 0;
    shares.set(telling, others + 1);
    this.#shares.set(entry, shares);
    if (others === 0) this.#tellings[entry] = mergeTellings([...shares.keys()]);
    return { entry, was };
  }

  /** One Service that has said this says it no more. */
  remove(prefix: Prefix, telling: Telling): { readonly entry: number; readonly was: Telling | undefined } {
    const entry = this.#index.find(prefix);
    if (entry === undefined) throw new Error('a Service gives back a prefix that it does not have');
    const was = this.#tellings[entry];
    const shares = this.#shares.get(entry);
    if (shares === undefined) {
      this.#tellings[entry] = undefined;
      return { entry, was };
    }
    const left = (shares.get(telling) ?? 0) - 1;
    if (left > 0) shares.set(telling, left);
    else shares.delete(telling);
    const [first, ...others] = shares;
    if (others.length === 0 && first?.[1] === 1) this.#shares.delete(entry);
    if (left <= 0) this.#tellings[entry] = mergeTellings([...shares.keys()]);
    return { entry, was };
  }

  /** What all say now. Forgets a prefix of which nobody says anything. */
  settle(entry: number): { readonly prefix: Prefix; readonly now: Telling | undefined } {
    const prefix = this.#index.prefixAt(entry);
    const now = this.#tellings[entry];
    if (now === undefined) this.#index.remove(entry);
    return { prefix, now };
  }

  *routesTo(peer: string): Generator<Route> {
    for (let entry = 0; entry < this.#index.end; entry++) {
      const attributes = this.#tellings[entry]?.get(peer);
      if (attributes !== undefined) yield { prefix: this.#index.prefixAt(entry), attributes };
    }
  }
}

/** Of each peer what any of them tells it. */
function mergeTellings(tellings: readonly Telling[]): Telling {
  const [only, ...others] = tellings;
  if (only !== undefined && others.length === 0) return only;
  const byPeer = new Map<string, [RouteAttributes, ...RouteAttributes[]]>();
  for (const telling of tellings) {
    for (const [peer, attributes] of telling) {
      const several = byPeer.get(peer);
      if (several === undefined) byPeer.set(peer, [attributes]);
      else several.push(attributes);
    }
  }
  return new Map([...byPeer].map(([peer, several]) => [peer, mergeAttributes(several)]));
}

class Changes {
  readonly #byPeer = new Map<string, { announce: Route[]; withdraw: Prefix[] }>();

  note(prefix: Prefix, was: Telling | undefined, now: Telling | undefined): void {
    if (was === now) return;
    for (const [peer, attributes] of now ?? []) {
      if (was?.get(peer) !== attributes) this.#of(peer).announce.push({ prefix, attributes });
    }
    for (const peer of was?.keys() ?? []) if (!now?.has(peer)) this.#of(peer).withdraw.push(prefix);
  }

  byPeer(): ReadonlyMap<string, PeerChanges> {
    return this.#byPeer;
  }

  #of(peer: string): { announce: Route[]; withdraw: Prefix[] } {
    const known = this.#byPeer.get(peer);
    if (known !== undefined) return known;
    const empty = { announce: [], withdraw: [] };
    this.#byPeer.set(peer, empty);
    return empty;
  }
}
