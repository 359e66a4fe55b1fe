import { notifications } from './notification.ts';
import { readUint16, readUint32 } from './wire.ts';

/** Path attributes by number: RFC 4271 section 5, RFC 1997, 4456, 4760, 4360, 6793, 5701, 8092, 9234. */
export const attributeTypes = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  mpUnreach: 15,
  extendedCommunities: 16,
  as4Path: 17,
  as4Aggregator: 18,
  ipv6ExtendedCommunities: 25,
  largeCommunities: 32,
  onlyToCustomer: 35,
} as const;

/** The bits of the first byte of an attribute (RFC 4271 section 4.3). */
export const attributeFlags = { optional: 0x80, transitive: 0x40, extendedLength: 0x10 } as const;
export const wellKnown = attributeFlags.transitive;
export const optional = attributeFlags.optional;
export const optionalTransitive = attributeFlags.optional | attributeFlags.transitive;

/** What a peer has told of itself that decides how attributes are read. */
export type AttributeContext = {
  /** Both sides have the capability of RFC 6793. */
  readonly fourOctetAsn: boolean;
  /** Whether the peer is of another AS, where that is known. */
  readonly external?: boolean;
};

export type AttributeFault = {
  readonly kind: { readonly code: number; readonly subcode: number };
  readonly text: string;
};

/** How an attribute is checked, and what becomes of the UPDATE when it is malformed (RFC 7606 section 2). */
export type AttributeRule = {
  readonly name: string;
  /** Of `optional` and `transitive`, those that are set. */
  readonly flags: number;
  readonly whenMalformed: 'withdraw' | 'discard' | 'reset';
  /** Ignored from external peers, whatever it is. */
  readonly internalOnly?: true;
  /** Ignored from peers with AS numbers of four bytes (RFC 6793 section 6). */
  readonly twoOctetsOnly?: true;
  /** The value is what lies between `from` and `end`. */
  readonly check: (
    bytes: Uint8Array,
    from: number,
    end: number,
    context: AttributeContext,
  ) => AttributeFault | undefined;
};

type Check = AttributeRule['check'];

/** Segments of an AS_PATH: RFC 4271 section 4.3, RFC 5065. */
const segmentTypes = { least: 1, most: 4 } as const;

/** MP_REACH_NLRI and MP_UNREACH_NLRI, which are looked into by the decoder. */
const unchecked: Check = () => undefined;

/** RFC 7606 section 7, in its order; RFC 6793 section 6, RFC 8092 section 6, RFC 9234 section 5. */
const rules: readonly (readonly [type: number, rule: AttributeRule])[] = [
  [attributeTypes.origin, { name: 'ORIGIN', flags: wellKnown, whenMalformed: 'withdraw', check: checkOrigin }],
  [attributeTypes.asPath, { name: 'AS_PATH', flags: wellKnown, whenMalformed: 'withdraw', check: checkAsPath }],
  [attributeTypes.nextHop, { name: 'NEXT_HOP', flags: wellKnown, whenMalformed: 'withdraw', check: checkNextHop }],
  [attributeTypes.med, { name: 'MULTI_EXIT_DISC', flags: optional, whenMalformed: 'withdraw', check: exactly(4) }],
  [
    attributeTypes.localPref,
    { name: 'LOCAL_PREF', flags: wellKnown, whenMalformed: 'withdraw', internalOnly: true, check: exactly(4) },
  ],
  [
    attributeTypes.atomicAggregate,
    { name: 'ATOMIC_AGGREGATE', flags: wellKnown, whenMalformed: 'discard', check: exactly(0) },
  ],
  [
    attributeTypes.aggregator,
    { name: 'AGGREGATOR', flags: optionalTransitive, whenMalformed: 'discard', check: checkAggregator },
  ],
  [
    attributeTypes.communities,
    { name: 'COMMUNITIES', flags: optionalTransitive, whenMalformed: 'withdraw', check: multipleOf(4) },
  ],
  [
    attributeTypes.originatorId,
    { name: 'ORIGINATOR_ID', flags: optional, whenMalformed: 'withdraw', internalOnly: true, check: exactly(4) },
  ],
  [
    attributeTypes.clusterList,
    { name: 'CLUSTER_LIST', flags: optional, whenMalformed: 'withdraw', internalOnly: true, check: multipleOf(4) },
  ],
  [attributeTypes.mpReach, { name: 'MP_REACH_NLRI', flags: optional, whenMalformed: 'reset', check: unchecked }],
  [attributeTypes.mpUnreach, { name: 'MP_UNREACH_NLRI', flags: optional, whenMalformed: 'reset', check: unchecked }],
  [
    attributeTypes.extendedCommunities,
    { name: 'EXTENDED COMMUNITIES', flags: optionalTransitive, whenMalformed: 'withdraw', check: multipleOf(8) },
  ],
  [
    attributeTypes.ipv6ExtendedCommunities,
    { name: 'IPv6 EXTENDED COMMUNITIES', flags: optionalTransitive, whenMalformed: 'withdraw', check: multipleOf(20) },
  ],
  [
    attributeTypes.as4Path,
    { name: 'AS4_PATH', flags: optionalTransitive, whenMalformed: 'discard', twoOctetsOnly: true, check: checkAs4Path },
  ],
  [
    attributeTypes.as4Aggregator,
    {
      name: 'AS4_AGGREGATOR',
      flags: optionalTransitive,
      whenMalformed: 'discard',
      twoOctetsOnly: true,
      check: checkAs4Aggregator,
    },
  ],
  [
    attributeTypes.largeCommunities,
    { name: 'LARGE_COMMUNITY', flags: optionalTransitive, whenMalformed: 'withdraw', check: multipleOf(12) },
  ],
  [
    attributeTypes.onlyToCustomer,
    { name: 'ONLY_TO_CUSTOMER', flags: optionalTransitive, whenMalformed: 'withdraw', check: exactly(4) },
  ],
];

/** By type; undefined for an attribute that we do not know. */
export const attributeRules: readonly (AttributeRule | undefined)[] = (() => {
  const table = new Array<AttributeRule | undefined>(256).fill(undefined);
  for (const [type, rule] of rules) table[type] = rule;
  return table;
})();

function checkOrigin(bytes: Uint8Array, from: number, end: number): AttributeFault | undefined {
  if (end - from !== 1) return wrongLength(end - from);
  const origin = bytes[from]!;
  return origin > 2 ? { kind: notifications.invalidOrigin, text: `is ${origin}, which is none` } : undefined;
}

/** RFC 7606 section 7.2: unknown types, segments that run over, one byte left, no AS in a segment; RFC 7607: AS 0. */
function checkAsPath(bytes: Uint8Array, from: number, end: number, context: AttributeContext) {
  return checkSegments(bytes, from, end, context.fourOctetAsn ? 4 : 2);
}

/** A path of no AS at all has no reason to be told beside AS_PATH (RFC 6793 section 6). */
function checkAs4Path(bytes: Uint8Array, from: number, end: number): AttributeFault | undefined {
  return end === from ? wrongLength(0) : checkSegments(bytes, from, end, 4);
}

function checkSegments(bytes: Uint8Array, from: number, end: number, asnBytes: 2 | 4): AttributeFault | undefined {
  for (let at = from; at < end; ) {
    if (end - at < 2) return malformedPath('ends within a segment');
    const type = bytes[at]!;
    if (type < segmentTypes.least || type > segmentTypes.most) return malformedPath(`has a segment of type ${type}`);
    const count = bytes[at + 1]!;
    if (count === 0) return malformedPath('has a segment without any AS');
    const next = at + 2 + count * asnBytes;
    if (next > end) return malformedPath('ends within a segment');
    for (let i = at + 2; i < next; i += asnBytes) {
      if ((asnBytes === 4 ? readUint32(bytes, i) : readUint16(bytes, i)) === 0) return malformedPath('has AS 0');
    }
    at = next;
  }
  return undefined;
}

function malformedPath(text: string): AttributeFault {
  return { kind: notifications.malformedAsPath, text };
}

/** RFC 4271 section 6.3: it has to be the address of a host. */
function checkNextHop(bytes: Uint8Array, from: number, end: number): AttributeFault | undefined {
  if (end - from !== 4) return wrongLength(end - from);
  return hostAddress(bytes, from, 4)
    ? undefined
    : { kind: notifications.invalidNextHop, text: `is ${bytes.subarray(from, end).join('.')}, which is no host` };
}

/** Neither unspecified, loopback nor multicast, nor the reserved end of IPv4. */
export function hostAddress(bytes: Uint8Array, from: number, length: 4 | 16): boolean {
  if (length === 4) {
    const first = bytes[from]!;
    return first !== 127 && first < 224 && readUint32(bytes, from) !== 0;
  }
  if (bytes[from] === 0xff) return false;
  let zeros = 0;
  while (zeros < 15 && bytes[from + zeros] === 0) zeros++;
  return zeros < 15 || bytes[from + 15]! > 1;
}

function checkAggregator(bytes: Uint8Array, from: number, end: number, context: AttributeContext) {
  const asnBytes = context.fourOctetAsn ? 4 : 2;
  if (end - from !== asnBytes + 4) return wrongLength(end - from);
  const asn = asnBytes === 4 ? readUint32(bytes, from) : readUint16(bytes, from);
  return asn === 0 ? { kind: notifications.optionalAttribute, text: 'names AS 0' } : undefined;
}

function checkAs4Aggregator(bytes: Uint8Array, from: number, end: number): AttributeFault | undefined {
  if (end - from !== 8) return wrongLength(end - from);
  return readUint32(bytes, from) === 0 ? { kind: notifications.optionalAttribute, text: 'names AS 0' } : undefined;
}

function exactly(length: number): Check {
  return (_bytes, from, end) => (end - from === length ? undefined : wrongLength(end - from));
}

/** And not none of them. */
function multipleOf(unit: number): Check {
  return (_bytes, from, end) => (end > from && (end - from) % unit === 0 ? undefined : wrongLength(end - from));
}

function wrongLength(length: number): AttributeFault {
  return { kind: notifications.attributeLength, text: `has ${length} bytes` };
}
