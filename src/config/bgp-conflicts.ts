import type { BGPAdvertisementDeclaration } from '../api/bgp-advertisement.ts';
import type { BGPPeerDeclaration, Neighbor } from '../api/bgp-peer.ts';
import { fieldOf } from '../api/field.ts';
import type { PoolDeclaration } from '../api/ip-address-pool.ts';
import { compareTexts } from '../api/label-selector.ts';
import { addressBits, type Family, formatAddress } from '../ip/address.ts';
import { formatPrefix } from '../ip/prefix.ts';
import { formatRange, type Range, rangeSize } from '../ip/range.ts';
import type { ConfigError, Declarations } from './compile.ts';
import type { NodeScope } from './node-scope.ts';

type Advertisement = BGPAdvertisementDeclaration;
type Peer = BGPPeerDeclaration;

/** Where the BGP resources contradict each other or the pools. `choosers`: for each pool its advertisements. */
export function findBGPConflicts(
  declared: Declarations,
  choosers: readonly (readonly Advertisement[])[],
  scope: NodeScope,
): readonly ConfigError[] {
  return [
    ...findMissingProfiles(declared),
    ...findDuplicatePeers(declared.peers, scope),
    ...findDuplicateAliases(declared),
    ...findUnknownAliases(declared),
    ...findWideAggregations(declared.pools, choosers),
    ...preferences.flatMap((one) => findPreferenceConflicts(one, declared.pools, choosers, scope)),
    ...findEchoOverIPv6(declared, choosers, scope),
  ];
}

function findMissingProfiles({ peers, bfdProfiles, brokenProfiles }: Declarations): readonly ConfigError[] {
  const names = new Set(bfdProfiles.map(({ name }) => name));
  return peers.flatMap(({ object, bfdProfile }) => {
    if (bfdProfile === undefined || names.has(bfdProfile) || brokenProfiles.has(bfdProfile)) return [];
    const message = 'names no BFDProfile: create one of this name, or remove the field';
    return [{ object, field: 'spec.bfdProfile', value: bfdProfile, message, awaits: 'BFDProfile' as const }];
  });
}

/** Two sessions between the same two ends: routers keep one of them (RFC 4271, section 6.8). */
function findDuplicatePeers(peers: readonly Peer[], scope: NodeScope): readonly ConfigError[] {
  const byEnds = Map.groupBy(peers, endsOf);
  return [...byEnds.values()].flatMap((same) =>
    same.flatMap((peer, index) => {
      const earlier = same.slice(0, index).find((one) => scope.meet(one.nodeSelectors, peer.nodeSelectors));
      if (earlier === undefined) return [];
      const message = `is the peer of ${earlier.object}, too, on a node that both select: remove one of the two, or set another sourceAddress or vrf`;
      const field = 'address' in peer.neighbor ? 'spec.peerAddress' : 'spec.interface';
      return [{ object: peer.object, field, value: neighborText(peer.neighbor), message }];
    }),
  );
}

function endsOf({ neighbor, port, vrf = '', sourceAddress, sourceAddressFrom }: Peer): string {
  const source = sourceAddress ? formatAddress(sourceAddress) : sourceText(sourceAddressFrom);
  return [neighborText(neighbor), port, vrf, source].join(' ');
}

function sourceText(source: Peer['sourceAddressFrom']): string {
  if (source === undefined) return '';
  return 'interface' in source ? source.interface : source.prefixes.map(formatPrefix).join();
}

function neighborText(neighbor: Neighbor): string {
  return 'address' in neighbor ? formatAddress(neighbor.address) : neighbor.interface;
}

function findDuplicateAliases({ communities }: Declarations): readonly ConfigError[] {
  const seen = new Map<string, string>();
  return communities.flatMap(({ object, aliases }) =>
    aliases.flatMap(({ name, field }) => {
      const earlier = seen.get(name);
      seen.set(name, earlier ?? object);
      if (earlier === undefined) return [];
      const message = `is also defined by ${earlier}: rename one of the two`;
      return [{ object, field: `${field}.name`, value: name, message }];
    }),
  );
}

function findUnknownAliases(declared: Declarations): readonly ConfigError[] {
  // An alias may be in a Community that could not be read: that one says so.
  if (!declared.communitiesAreWhole) return [];
  const known = new Set(declared.communities.flatMap(({ aliases }) => aliases.map(({ name }) => name)));
  return declared.bgpAdvertisements.flatMap(({ object, aliases }) =>
    aliases.flatMap(({ name, field }) => {
      if (known.has(name)) return [];
      const message = 'is neither a community nor the name of one in a Community: write 64512:100, or define the name';
      return [{ object, field, value: name, message, awaits: 'Community' as const }];
    }),
  );
}

/** A prefix wider than all that a range of the pool can be cut into would announce addresses that are not the pool's. */
function findWideAggregations(
  pools: readonly PoolDeclaration[],
  choosers: readonly (readonly Advertisement[])[],
): readonly ConfigError[] {
  const told = new Set<Advertisement>();
  return pools.flatMap((pool, number) => {
    const list = (choosers[number] ?? []).filter(aggregates);
    const narrowest = list.length === 0 ? [] : narrowestEntries(pool);
    return list.flatMap((advertisement) => {
      const entry = narrowest.find(({ range, length }) => advertisement.aggregationLength[range.family] < length);
      if (entry === undefined || told.has(advertisement)) return [];
      told.add(advertisement);
      const { object, aggregationLength } = advertisement;
      const { family } = entry.range;
      const field = family === 4 ? 'spec.aggregationLength' : 'spec.aggregationLengthV6';
      const message = `is wider than ${formatRange(entry.range)} of ${pool.object}: set it to at least ${entry.length}, or choose other pools`;
      return [{ object, field: fieldOf(advertisement, field), value: aggregationLength[family], message }];
    });
  });
}

function aggregates({ aggregationLength }: Advertisement): boolean {
  return aggregationLength[4] < addressBits[4] || aggregationLength[6] < addressBits[6];
}

/** Per family the entry whose widest block is the narrowest, with that block's length. */
function narrowestEntries(pool: PoolDeclaration): readonly { readonly range: Range; readonly length: number }[] {
  return ([4, 6] as const).flatMap((family) => {
    const entries = pool.addresses.filter((range) => range.family === family);
    const lengths = entries.map((range) => ({ range, length: widestLength(range) }));
    return lengths.length === 0 ? [] : [lengths.reduce((a, b) => (b.length > a.length ? b : a))];
  });
}

/** The prefix length of the largest block that lies in the range: one of its own size at most, one of half that at least. */
function widestLength(range: Range): number {
  const hostBits = rangeSize(range).toString(2).length - 1;
  const size = 1n << BigInt(hostBits);
  const start = ((range.first + size - 1n) / size) * size;
  const fits = start + size - 1n <= range.last;
  return addressBits[range.family] - (fits ? hostBits : hostBits - 1);
}

/** What a route has one of. */
type Preference = {
  readonly field: string;
  /** Undefined: the advertisement leaves it to the others. */
  readonly of: (advertisement: Advertisement) => number | undefined;
};

const preferences: readonly Preference[] = [
  // As for MetalLB, one that does not say a preference has one.
  { field: 'spec.localPref', of: ({ localPref = 0 }) => localPref },
  { field: 'metadata.annotations[garpoon.io/med]', of: ({ med }) => med },
  { field: 'metadata.annotations[garpoon.io/as-path-prepend]', of: ({ prepend }) => prepend },
];

/** Two advertisements may not give the same prefix two preferences on one session. */
function findPreferenceConflicts(
  preference: Preference,
  pools: readonly PoolDeclaration[],
  choosers: readonly (readonly Advertisement[])[],
  scope: NodeScope,
): readonly ConfigError[] {
  const checked = new Set<string>();
  const lists = new Map<readonly Advertisement[], number>();
  const told = new Set<Advertisement>();
  return pools.flatMap((pool, number) => {
    const list = choosers[number] ?? [];
    const families = ([4, 6] as const).filter((family) => pool.addresses.some((range) => range.family === family));
    if (!lists.has(list)) lists.set(list, lists.size);
    const key = `${lists.get(list)}:${families}`;
    if (checked.has(key)) return [];
    checked.add(key);
    // With serviceSelectors it is the speaker who sees whether two of them choose the same Service.
    const whole = list.filter(({ serviceSelectors }) => serviceSelectors.length === 0);
    if (new Set(whole.map(preference.of)).size < 2) return [];
    return whole.flatMap((advertisement, index) => {
      if (told.has(advertisement)) return [];
      const isOther = (one: Advertisement) => contradict(preference, one, advertisement, families, scope);
      const earlier = whole.slice(0, index).find(isOther);
      if (earlier === undefined) return [];
      told.add(advertisement);
      const { object } = advertisement;
      const message = `differs from the ${preference.of(earlier)} of ${earlier.object}, which announces ${pool.object} to the same peers from the same nodes, too: make them equal, or choose other pools, peers or nodes`;
      const field = fieldOf(advertisement, preference.field);
      return [{ object, field, value: preference.of(advertisement), message }];
    });
  });
}

function contradict(
  { of }: Preference,
  a: Advertisement,
  b: Advertisement,
  families: readonly Family[],
  scope: NodeScope,
): boolean {
  if (of(a) === undefined || of(b) === undefined || of(a) === of(b)) return false;
  if (!families.some((family) => a.aggregationLength[family] === b.aggregationLength[family])) return false;
  return sharePeers(a, b) && scope.meet(a.nodeSelectors, b.nodeSelectors);
}

function sharePeers(a: Advertisement, b: Advertisement): boolean {
  if (a.peers === 'all' || b.peers === 'all') return true;
  const [fewer, more] = a.peers.length <= b.peers.length ? [a.peers, b.peers] : [b.peers, a.peers];
  return fewer.some((peer) => more.includes(peer));
}

/** Nothing echoes BFD packets over IPv6 (RFC 5881, section 4 leaves it open, and routers do not do it). */
function findEchoOverIPv6(
  { pools, peers, bfdProfiles }: Declarations,
  choosers: readonly (readonly Advertisement[])[],
  scope: NodeScope,
): readonly ConfigError[] {
  const echoing = new Set(bfdProfiles.filter(({ echoMode }) => echoMode).map(({ name }) => name));
  const echoers = peers.filter(({ bfdProfile }) => bfdProfile !== undefined && echoing.has(bfdProfile));
  if (echoers.length === 0) return [];
  const poolOf = new Map<Advertisement, PoolDeclaration>();
  for (const [number, pool] of pools.entries()) {
    if (!pool.addresses.some(({ family }) => family === 6)) continue;
    for (const one of choosers[number] ?? []) if (!poolOf.has(one)) poolOf.set(one, pool);
  }
  const advertisements = [...poolOf.keys()].sort((a, b) => compareTexts(a.name, b.name));
  return echoers.flatMap((peer) => {
    const told = advertisements.find(
      ({ peers: names, nodeSelectors }) =>
        (names === 'all' || names.includes(peer.name)) && scope.meet(nodeSelectors, peer.nodeSelectors),
    );
    if (told === undefined) return [];
    const message = `has echoMode, which IPv6 does not have, and ${told.object} announces the IPv6 addresses of ${poolOf.get(told)?.object} to the peer: use a profile without echoMode, or advertise to other peers`;
    const field = fieldOf(peer, 'spec.bfdProfile');
    return [{ object: peer.object, field, value: peer.bfdProfile, message }];
  });
}
