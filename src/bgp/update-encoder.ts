import { type Address, addressBytes, type Family } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import { longestPrefix, packed } from './nlri.ts';
import { attributeFlags, attributeTypes, optional, optionalTransitive, wellKnown } from './path-attributes.ts';
import {
  asTrans,
  concat,
  familyBytes,
  headerBytes,
  maxMessageBytes,
  maxTwoOctetAsn,
  messageOf,
  messageTypes,
  noBytes,
  uint16Bytes,
  uint32Bytes,
} from './wire.ts';

/** What a peer is told of routes, as it goes out: next hop and path are this peer's. */
export type WireAttributes = {
  readonly origin: 'igp';
  readonly asPath: readonly number[];
  readonly nextHop: Address;
  /** Beside a global IPv6 next hop, for peers on the same link (RFC 2545 section 3). */
  readonly linkLocalNextHop?: Address | undefined;
  readonly med?: number | undefined;
  /** For internal peers only. */
  readonly localPref?: number | undefined;
  /** Ascending, each once. */
  readonly communities: readonly number[];
  /** Ascending, each once. */
  readonly largeCommunities: readonly (readonly [number, number, number])[];
};

/** Prefixes of one family that share their attributes. */
export type Announcement = {
  readonly attributes: WireAttributes;
  readonly family: Family;
  readonly prefixes: readonly Prefix[];
};

export type UpdateChanges = { readonly announce: readonly Announcement[]; readonly withdraw: readonly Prefix[] };

/** Both lengths of an UPDATE. */
const fixedBytes = headerBytes + 4;
/** Flags, type, length of an attribute with routes in it, at most. */
const attributeHead = 4;
/** An AS_PATH segment counts in one byte. */
const maxSegment = 255;
const asSequence = 2;

/**
 * As few messages as hold the changes, withdrawals first. By RFC 7606 section 5.1 each has routes in one place only, and
 * MP_REACH_NLRI or MP_UNREACH_NLRI before the other attributes, which ascend. IPv4 with an IPv4 next hop, and every
 * withdrawal of IPv4, goes without them. Throws a RangeError when attributes leave no room for a prefix.
 */
export function* encodeUpdates(
  { announce, withdraw }: UpdateChanges,
  context: { readonly fourOctetAsn: boolean },
): Generator<Uint8Array> {
  yield* withdrawals(withdraw);
  for (const announcement of announce) yield* announcements(announcement, context.fourOctetAsn);
}

/** Whether the attributes leave room for a prefix: only then they can be announced. */
export function fitsMessage(
  attributes: WireAttributes,
  family: Family,
  { fourOctetAsn }: { readonly fourOctetAsn: boolean },
): boolean {
  return frameOf(attributes, family, fourOctetAsn).room >= longestPrefix(family);
}

/** That the initial routes of a family are complete (RFC 4724 section 2). */
export function encodeEndOfRib(family: Family): Uint8Array {
  return family === 4 ? update(noBytes, [], noBytes) : update(noBytes, [unreach(6, noBytes)], noBytes);
}

function* withdrawals(prefixes: readonly Prefix[]): Generator<Uint8Array> {
  const four = prefixes.filter(({ family }) => family === 4);
  for (const field of packed(four, 4, maxMessageBytes - fixedBytes)) yield update(field, [], noBytes);
  const six = prefixes.filter(({ family }) => family === 6);
  const room = maxMessageBytes - fixedBytes - attributeHead - 3;
  for (const field of packed(six, 6, room)) yield update(noBytes, [unreach(6, field)], noBytes);
}

function* announcements({ attributes, family, prefixes }: Announcement, fourOctetAsn: boolean): Generator<Uint8Array> {
  const { head, others, room } = frameOf(attributes, family, fourOctetAsn);
  for (const field of packed(prefixes, family, room)) {
    if (head === undefined) yield update(noBytes, [others], field);
    else yield update(noBytes, [attribute(optional, attributeTypes.mpReach, concat([head, field])), others], noBytes);
  }
}

/** All of an announcement but the prefixes, and how many bytes are left for those. `head` is that of MP_REACH_NLRI. */
function frameOf(attributes: WireAttributes, family: Family, fourOctetAsn: boolean) {
  const classic = family === 4 && attributes.nextHop.family === 4;
  const others = otherAttributes(attributes, classic, fourOctetAsn);
  const head = classic ? undefined : reachHead(attributes, family);
  const room = maxMessageBytes - fixedBytes - others.length - (head === undefined ? 0 : attributeHead + head.length);
  return { head, others, room };
}

function update(withdrawn: Uint8Array, attributes: readonly Uint8Array[], routes: Uint8Array): Uint8Array {
  const length = attributes.reduce((sum, each) => sum + each.length, 0);
  const parts = [uint16Bytes(withdrawn.length), withdrawn, uint16Bytes(length), ...attributes, routes];
  return messageOf(messageTypes.update, parts);
}

function unreach(family: Family, field: Uint8Array): Uint8Array {
  return attribute(optional, attributeTypes.mpUnreach, concat([Uint8Array.of(...familyBytes(family)), field]));
}

/** What precedes the prefixes in MP_REACH_NLRI (RFC 4760 section 3, RFC 8950). */
function reachHead({ nextHop, linkLocalNextHop }: WireAttributes, family: Family): Uint8Array {
  if (nextHop.family !== 6) throw new TypeError('IPv6 routes have IPv6 next hops');
  const addresses = linkLocalNextHop === undefined ? [nextHop] : [nextHop, linkLocalNextHop];
  const bytes = concat(addresses.map(addressBytes));
  return concat([Uint8Array.of(...familyBytes(family), bytes.length), bytes, Uint8Array.of(0)]);
}

/** All but MP_REACH_NLRI, ascending. */
function otherAttributes(attributes: WireAttributes, classic: boolean, fourOctetAsn: boolean): Uint8Array {
  const { asPath, nextHop, med, localPref, communities, largeCommunities } = attributes;
  const parts = [
    attribute(wellKnown, attributeTypes.origin, Uint8Array.of(0)),
    attribute(wellKnown, attributeTypes.asPath, segments(asPath, fourOctetAsn ? 4 : 2)),
  ];
  if (classic) parts.push(attribute(wellKnown, attributeTypes.nextHop, addressBytes(nextHop)));
  if (med !== undefined) parts.push(attribute(optional, attributeTypes.med, uint32Bytes(med)));
  if (localPref !== undefined) parts.push(attribute(wellKnown, attributeTypes.localPref, uint32Bytes(localPref)));
  if (communities.length > 0) {
    parts.push(attribute(optionalTransitive, attributeTypes.communities, concat(communities.map(uint32Bytes))));
  }
  if (!fourOctetAsn && asPath.some((asn) => asn > maxTwoOctetAsn)) {
    parts.push(attribute(optionalTransitive, attributeTypes.as4Path, segments(asPath, 4)));
  }
  if (largeCommunities.length > 0) {
    const value = concat(largeCommunities.flat().map(uint32Bytes));
    parts.push(attribute(optionalTransitive, attributeTypes.largeCommunities, value));
  }
  return concat(parts);
}

/** AS_SEQUENCEs; what does not fit two bytes is AS_TRANS there (RFC 6793 section 4.2.2). */
function segments(asPath: readonly number[], asnBytes: 2 | 4): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let from = 0; from < asPath.length; from += maxSegment) {
    const part = asPath.slice(from, from + maxSegment);
    parts.push(Uint8Array.of(asSequence, part.length));
    for (const asn of part)
      parts.push(asnBytes === 4 ? uint32Bytes(asn) : uint16Bytes(asn > maxTwoOctetAsn ? asTrans : asn));
  }
  return concat(parts);
}

/** Its length takes two bytes only where one does not hold it (RFC 4271 section 4.3). */
function attribute(flags: number, type: number, value: Uint8Array): Uint8Array {
  const { length } = value;
  const head =
    length > 255 ? [flags | attributeFlags.extendedLength, type, length >> 8, length & 0xff] : [flags, type, length];
  return concat([Uint8Array.from(head), value]);
}
