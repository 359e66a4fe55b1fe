import { type Address, type Family, isLinkLocal } from '../ip/address.ts';
import type { Negotiated } from './negotiation.ts';
import type { PeerSettings } from './peer-settings.ts';
import type { RouteAttributes } from './route.ts';
import type { WireAttributes } from './update-encoder.ts';

export type NextHop = { readonly nextHop: Address; readonly linkLocalNextHop?: Address };

/** What of a route's attributes is the session's: path, preference and next hop. */
export function wireAttributes(
  attributes: RouteAttributes,
  { nextHop, linkLocalNextHop }: NextHop,
  { localAsn, medDefault }: Pick<PeerSettings, 'localAsn' | 'medDefault'>,
  { internal }: Pick<Negotiated, 'internal'>,
): WireAttributes {
  const { communities, largeCommunities, prepend } = attributes;
  const med = attributes.med ?? medDefault;
  return {
    origin: 'igp',
    asPath: internal ? [] : new Array<number>(1 + prepend).fill(localAsn),
    nextHop,
    ...(linkLocalNextHop && { linkLocalNextHop }),
    ...(med !== undefined && { med }),
    // RFC 4271 section 5.1.5: in every route to an internal peer, in none to an external one.
    ...(internal && { localPref: attributes.localPref ?? 100 }),
    communities,
    largeCommunities,
  };
}

/** The next hop of a family's routes on a connection, or why there is none. */
export function nextHopFor(
  family: Family,
  local: Address,
  { nextHop: configured, name }: Pick<PeerSettings, 'nextHop' | 'name'>,
  { extendedNextHop }: Pick<Negotiated, 'extendedNextHop'>,
): NextHop | string {
  if (family === 4) {
    if (local.family === 4) return { nextHop: local };
    if (extendedNextHop) return withLinkLocal(local, configured);
    if (configured?.[4]) return { nextHop: configured[4] };
    return (
      `IPv4 routes need an IPv4 next hop on a session over IPv6: this node has none for BGPPeer ${name}, ` +
      `and the router does not take IPv6 next hops (extended-nexthop, RFC 8950)`
    );
  }
  if (local.family === 6) return withLinkLocal(local, configured);
  if (configured?.[6]) return withLinkLocal(configured[6], configured);
  return (
    `IPv6 routes need an IPv6 next hop on a session over IPv4: this node has no global IPv6 address for BGPPeer ` +
    `${name}; give it one, or peer with the router's IPv6 address`
  );
}

/** RFC 2545 section 3. Where the connection is between link-local addresses, a global one goes first if there is one. */
function withLinkLocal(local: Address, configured: PeerSettings['nextHop']): NextHop {
  if (isLinkLocal(local)) {
    const global = configured?.[6];
    return global ? { nextHop: global, linkLocalNextHop: local } : { nextHop: local };
  }
  const linkLocal = configured?.linkLocal;
  return linkLocal ? { nextHop: local, linkLocalNextHop: linkLocal } : { nextHop: local };
}
