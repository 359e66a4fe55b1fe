import type { Family } from '../ip/address.ts';
import { coversPrefix, type Prefix } from '../ip/prefix.ts';
import { internAttributes } from './attributes.ts';
import { AttributeNumbers, FamilyRib } from './family-rib.ts';
import type { Route, RouteAttributes } from './route.ts';

/** What is to be told now: each prefix once, in one of the two. */
export type RouteChanges = {
  /** Routes of one family with the same attributes, which go into messages together. */
  readonly announce: readonly {
    readonly attributes: RouteAttributes;
    readonly family: Family;
    readonly prefixes: readonly Prefix[];
  }[];
  readonly withdraw: readonly Prefix[];
};

export type RouteCounts = { readonly 4: number; readonly 6: number };

/**
 * What one peer is to be told, and what it was (the Adj-RIB-Out of RFC 4271, section 3.2). What was taken counts as
 * told: whoever takes it tells it, or calls `reset` because the session is lost.
 *
 * It keeps no objects for prefixes: some 40 bytes for one of IPv4, 50 for one of IPv6 (./family-rib.ts).
 */
export class AdjRibOut {
  readonly #attributes = new AttributeNumbers();
  readonly #ribs = { 4: new FamilyRib(4, this.#attributes), 6: new FamilyRib(6, this.#attributes) };
  #allowed: readonly Prefix[] | undefined;

  /**
   * The only prefixes within which routes are announced; undefined: everywhere. Routes outside are refused however they
   * get here, and withdrawn if they were sent. After it, all that is wished has to be set again.
   */
  allow(prefixes: readonly Prefix[] | undefined): void {
    this.#allowed = prefixes;
    for (const rib of this.#all()) rib.keep((prefix) => isAllowed(prefix, prefixes));
  }

  /** All that is wished. Of two routes to one prefix the last counts. Returns the routes that are not allowed. */
  set(routes: Iterable<Route>): readonly Prefix[] {
    const marks = { 4: this.#ribs[4].mark(), 6: this.#ribs[6].mark() };
    const refused: Prefix[] = [];
    for (const { prefix, attributes } of routes) {
      if (!isAllowed(prefix, this.#allowed)) refused.push(prefix);
      else marks[prefix.family].add(this.#ribs[prefix.family].wish(prefix, internAttributes(attributes)));
    }
    for (const family of families) this.#ribs[family].sweep(marks[family]);
    return refused;
  }

  /** Changes what is wished for some prefixes; costs nothing for the others. Returns the routes that are not allowed. */
  change(announce: Iterable<Route>, withdraw: Iterable<Prefix>): readonly Prefix[] {
    const refused: Prefix[] = [];
    for (const prefix of withdraw) this.#ribs[prefix.family].unwish(prefix);
    for (const { prefix, attributes } of announce) {
      if (!isAllowed(prefix, this.#allowed)) refused.push(prefix);
      else this.#ribs[prefix.family].wish(prefix, internAttributes(attributes));
    }
    return refused;
  }

  /** What has to be sent for the peer to know all that is wished. Nothing is returned again. */
  take(): RouteChanges {
    const announce: { attributes: RouteAttributes; family: Family; prefixes: Prefix[] }[] = [];
    const withdraw: Prefix[] = [];
    for (const rib of this.#all()) {
      const groups = new Map<RouteAttributes, Prefix[]>();
      rib.take((prefix, attributes) => {
        if (attributes === undefined) return withdraw.push(prefix);
        const group = groups.get(attributes);
        if (group !== undefined) return group.push(prefix);
        return groups.set(attributes, [prefix]);
      });
      for (const [attributes, prefixes] of groups) announce.push({ attributes, family: rib.family, prefixes });
    }
    return { announce, withdraw };
  }

  /** The peer asks to be told again (RFC 2918); undefined: of both families. */
  resend(family?: Family): void {
    for (const rib of family === undefined ? this.#all() : [this.#ribs[family]]) rib.resend();
  }

  /** The peer has forgotten everything. */
  reset(): void {
    for (const rib of this.#all()) rib.reset();
  }

  /** How many prefixes the peer was told of, those included that have changed since. */
  get announced(): RouteCounts {
    return { 4: this.#ribs[4].announced, 6: this.#ribs[6].announced };
  }

  /** How many prefixes are to be taken. */
  get pending(): RouteCounts {
    return { 4: this.#ribs[4].pending, 6: this.#ribs[6].pending };
  }

  #all(): readonly FamilyRib[] {
    return [this.#ribs[4], this.#ribs[6]];
  }
}

/** Whether the prefix lies within one of those that are allowed; undefined: all are. */
export function isAllowed(prefix: Prefix, allowed: readonly Prefix[] | undefined): boolean {
  return allowed === undefined || allowed.some((one) => coversPrefix(one, prefix));
}

const families = [4, 6] as const;
