import type { ReservationDeclaration } from '../api/address-reservation.ts';
import type { BGPPeerDeclaration } from '../api/bgp-peer.ts';
import { type ApiProblem, type FieldNames, fieldOf } from '../api/field.ts';
import type { PoolChoice } from '../api/pool-choice.ts';
import { formatAddress } from '../ip/address.ts';
import type { Declarations } from './compile.ts';
import type { Config } from './config.ts';
import type { NodeScope } from './node-scope.ts';

type World = {
  readonly config: Config;
  /** Of all peers, those for other nodes included. */
  readonly peerNames: ReadonlySet<string>;
  readonly scope: NodeScope;
};

/** What is allowed, and yet not what its author can have meant. None of it is a reason to refuse anything. */
export function findOddities(declared: Declarations, world: World): ApiProblem[] {
  return [
    ...[...declared.l2Advertisements, ...declared.bgpAdvertisements].flatMap((one) => findUnknownPools(one, world)),
    ...findUnknownPeers(declared, world),
    ...findOddPeers(declared.peers, world),
    ...declared.reservations.flatMap((one) => findVainReservation(one, world)),
  ];
}

function findUnknownPools(
  declaration: { readonly object: string; readonly pools: PoolChoice; readonly fields?: FieldNames },
  { config }: World,
): ApiProblem[] {
  const { object, pools } = declaration;
  if (pools === 'all') return [];
  const message = 'names no IPAddressPool: nothing is announced by that name until there is one';
  return pools.names
    .filter((name) => config.pool(name) === undefined)
    .map((value) => ({ object, field: fieldOf(declaration, 'spec.ipAddressPools'), value, message }));
}

function findUnknownPeers({ bgpAdvertisements }: Declarations, { peerNames }: World): ApiProblem[] {
  const message = 'names no BGPPeer: nobody is told until there is one';
  return bgpAdvertisements.flatMap((advertisement) => {
    const { object, peers } = advertisement;
    const field = fieldOf(advertisement, 'spec.peers');
    const unknown = peers === 'all' ? [] : peers.filter((name) => !peerNames.has(name));
    return unknown.map((value) => ({ object, field, value, message }));
  });
}

/** MetalLB with FRR refuses the first two, because one BGP process has one of each; here each session has its own. */
function findOddPeers(peers: readonly BGPPeerDeclaration[], { scope }: World): ApiProblem[] {
  return peers.flatMap((peer, index) => {
    const { object, myASN, routerID, vrf, nodeSelectors, disableMP } = peer;
    const odd: ApiProblem[] = [];
    if (disableMP) {
      odd.push({ object, field: 'spec.disableMP', value: true, message: 'has no effect any more: remove it' });
    }
    const others = peers.slice(0, index).filter((one) => one.vrf === vrf && differs(one, peer));
    const other = others.find((one) => scope.meet(one.nodeSelectors, nodeSelectors));
    if (other === undefined) return odd;
    const [field, value] =
      other.myASN !== myASN ? ['spec.myASN', myASN] : ['spec.routerID', routerID && formatAddress(routerID)];
    const message = `differs from that of ${other.object} on a node that both select: make sure that this is meant`;
    return [...odd, { object, field, value, message }];
  });
}

function differs(a: BGPPeerDeclaration, b: BGPPeerDeclaration): boolean {
  if (a.myASN !== b.myASN) return true;
  return a.routerID !== undefined && b.routerID !== undefined && a.routerID.value !== b.routerID.value;
}

function findVainReservation({ object, pool, addresses }: ReservationDeclaration, { config }: World): ApiProblem[] {
  if (pool !== undefined && config.pool(pool) === undefined) {
    const message = 'names no IPAddressPool: nothing is kept until there is one';
    return [{ object, field: 'spec.pool', value: pool, message }];
  }
  return addresses.flatMap((address, index) => {
    const owner = config.poolOf(address);
    const field = `spec.addresses[${index}]`;
    const value = formatAddress(address);
    if (owner === undefined) return [{ object, field, value, message: 'is in no IPAddressPool: nobody can have it' }];
    if (pool === undefined || owner.name === pool) return [];
    return [{ object, field, value, message: `is in the pool ${owner.name}, not in ${pool}: nobody can have it` }];
  });
}
