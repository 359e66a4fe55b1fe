import { type Address, parseAddress } from '../ip/address.ts';
import { checkAddressSource, isInterfaceName, type PeerOptions, readPeerOptions } from './bgp-annotations.ts';
import { type BGPPeerV1beta1, peerFromV1beta1 } from './bgp-peer-conversion.ts';
import { parseDuration, readDuration } from './duration.ts';
import { Field, type FieldNames } from './field.ts';
import { type LabelSelector, type LabelSelectorResource, readLabelSelectors } from './label-selector.ts';
import { type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `bgppeers.metallb.io/v1beta2` as the API serves and stores it. An empty text and the number 0 count as absent. */
export type BGPPeer = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta;
  readonly spec: {
    readonly myASN: number;
    readonly peerASN?: number;
    readonly dynamicASN?: 'internal' | 'external';
    readonly localASN?: number;
    readonly peerAddress?: string;
    readonly interface?: string;
    readonly sourceAddress?: string;
    readonly peerPort?: number;
    readonly holdTime?: string;
    readonly keepaliveTime?: string;
    readonly connectTime?: string;
    readonly routerID?: string;
    readonly nodeSelectors?: readonly LabelSelectorResource[];
    readonly password?: string;
    readonly passwordSecret?: { readonly name?: string; readonly namespace?: string };
    readonly bfdProfile?: string;
    readonly enableGracefulRestart?: boolean;
    readonly ebgpMultiHop?: boolean;
    readonly vrf?: string;
    readonly disableMP?: boolean;
    readonly dualStackAddressFamily?: boolean;
  };
};

/** What one BGPPeer says. Times are in milliseconds. */
export type BGPPeerDeclaration = PeerOptions & {
  readonly object: string;
  readonly name: string;
  readonly myASN: number;
  /** The number, or only whether it is ours (`internal`) or not. */
  readonly peerASN: number | 'internal' | 'external';
  /** Shown to this peer instead of ours (RFC 7705). */
  readonly localASN: number | undefined;
  readonly neighbor: Neighbor;
  readonly sourceAddress: Address | undefined;
  readonly port: number;
  /** Undefined: the speaker's own. A hold time of 0: none, and no keepalives. Whole seconds, as on the wire. */
  readonly timers: { readonly hold: number; readonly keepalive: number } | undefined;
  readonly connectTime: number | undefined;
  /** The BGP identifier; undefined: the speaker finds one. */
  readonly routerID: Address | undefined;
  /** Nodes that speak to the peer: any selector may match; empty means every node. */
  readonly nodeSelectors: readonly LabelSelector[];
  /** Of TCP MD5 (RFC 2385): the text, or the Secret that has it. */
  readonly password: string | { readonly secret: string; readonly namespace: string | undefined } | undefined;
  readonly bfdProfile: string | undefined;
  readonly gracefulRestart: boolean;
  readonly ebgpMultiHop: boolean;
  readonly vrf: string | undefined;
  /** Both families over one session. */
  readonly dualStack: boolean;
  /** Set by somebody who relied on a field that has no effect any more. */
  readonly disableMP: boolean;
  readonly fields?: FieldNames;
};

/** Where the peer is: an address, or whoever is at the other end of an interface's link. */
export type Neighbor = { readonly address: Address } | { readonly interface: string };

export const maxASN = 2 ** 32 - 1;
/** MetalLB's; its peers listen below the ephemeral ports. */
const maxPort = 16_384;
export const bgpPort = 179;
const shortestHold = 3_000;
const longestHold = 65_535_000;

/** Reads an object of either version from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseBGPPeer(raw: unknown): Parsed<BGPPeerDeclaration> {
  const isV1beta1 = Field.root('', raw, []).at('apiVersion').text() === 'metallb.io/v1beta1';
  const peer = isV1beta1 ? peerFromV1beta1(raw as BGPPeerV1beta1) : raw;
  return parseResource('BGPPeer', peer, (root, { object, name }) => {
    const spec = root.at('spec').required();
    const annotations = root.at('metadata').at('annotations');
    const declaration = {
      ...readPeerOptions(annotations),
      object,
      name,
      myASN: spec.at('myASN').required().integerWithin(1, maxASN) ?? 1,
      localASN: spec.at('localASN').integerWithin(1, maxASN),
      sourceAddress: readAddress(spec.at('sourceAddress')),
      port: spec.at('peerPort').integerWithin(1, maxPort) ?? bgpPort,
      timers: readTimers(spec),
      connectTime: readConnectTime(spec.at('connectTime')),
      routerID: readRouterID(spec.at('routerID')),
      nodeSelectors: readLabelSelectors(spec.at('nodeSelectors')),
      bfdProfile: spec.at('bfdProfile').text() || undefined,
      gracefulRestart: spec.at('enableGracefulRestart').flag() ?? false,
      ebgpMultiHop: spec.at('ebgpMultiHop').flag() ?? false,
      vrf: readDeviceName(spec.at('vrf')),
      dualStack: spec.at('dualStackAddressFamily').flag() ?? false,
      disableMP: spec.at('disableMP').flag() ?? false,
    };
    const password = readPassword(spec);
    const peerASN = readPeerASN(spec, declaration);
    const neighbor = readNeighbor(spec);
    checkTimers(spec);
    checkAddressSource(annotations, spec);
    return { ...declaration, password, peerASN, neighbor };
  });
}

function readAddress(field: Field): Address | undefined {
  const text = field.text() || undefined;
  const address = text === undefined ? undefined : parseAddress(text);
  if (text !== undefined && !address) field.refuse('is no address: write one such as 192.0.2.1 or 2001:db8::1');
  return address;
}

/** An identifier is four bytes (RFC 6286), and all zeros is none. */
export function readRouterID(field: Field): Address | undefined {
  const address = readAddress(field);
  if (address?.family === 6) field.refuse('must be written like an IPv4 address, such as 192.0.2.1');
  return address?.value === 0n ? undefined : address;
}

function readPeerASN(
  spec: Field,
  { myASN, ebgpMultiHop }: Pick<BGPPeerDeclaration, 'myASN' | 'ebgpMultiHop'>,
): BGPPeerDeclaration['peerASN'] {
  const peerASN = spec.at('peerASN').integerWithin(0, maxASN) || undefined;
  const dynamicASN = spec.at('dynamicASN').oneOf(['internal', 'external']);
  const given = { peerASN, dynamicASN };
  if (peerASN === undefined && dynamicASN === undefined) {
    if (!isRefused(spec, 'peerASN', 'dynamicASN'))
      spec.refuseAs(given, 'needs peerASN or dynamicASN: set one of the two');
  } else if (peerASN !== undefined && dynamicASN !== undefined) {
    spec.refuseAs(given, 'has both peerASN and dynamicASN: remove one of the two');
  } else if (ebgpMultiHop && peerASN === myASN) {
    spec.refuseAs(
      { ...given, ebgpMultiHop, myASN },
      'sets ebgpMultiHop, but peerASN equals myASN, which makes it iBGP: remove ebgpMultiHop',
    );
  }
  return peerASN ?? dynamicASN ?? 'external';
}

function readNeighbor(spec: Field): Neighbor {
  const address = readAddress(spec.at('peerAddress'));
  const text = spec.at('peerAddress').text() || undefined;
  const device = readDeviceName(spec.at('interface'));
  const given = { peerAddress: text, interface: device };
  if (text === undefined && device === undefined) {
    if (!isRefused(spec, 'peerAddress', 'interface')) {
      spec.refuseAs(given, 'needs peerAddress or interface: set one of the two');
    }
  } else if (text !== undefined && device !== undefined) {
    spec.refuseAs(given, 'has both peerAddress and interface: remove one of the two');
  }
  return address === undefined ? { interface: device ?? '' } : { address };
}

function readDeviceName(field: Field): string | undefined {
  const text = field.text() || undefined;
  if (text !== undefined && !isInterfaceName(text)) {
    field.refuse("cannot be an interface's name: write 1 to 15 characters without blanks, '/' and ':', such as eth1");
  }
  return text;
}

/** Whether something of the wrong type stands in one of the fields: that is the problem then, not its absence. */
function isRefused(spec: Field, ...keys: readonly string[]): boolean {
  return keys.some((key) => spec.at(key).isRefused);
}

/** The one that is not given follows from the other: a keepalive every third of the hold time. */
export function readTimers(spec: Field): BGPPeerDeclaration['timers'] {
  const hold = readDuration(spec.at('holdTime'));
  const keepalive = readDuration(spec.at('keepaliveTime'));
  if (hold !== undefined && !isHoldTime(hold)) spec.at('holdTime').refuse('must be 0s, or from 3s to 65535s');
  if (hold === undefined && keepalive === undefined) return undefined;
  const longest = hold ?? (keepalive ?? 0) * 3;
  return { hold: Math.trunc(longest / 1000) * 1000, keepalive: keepalive ?? longest / 3 };
}

function checkTimers(spec: Field): void {
  const [hold, keepalive] = [spec.at('holdTime').text(), spec.at('keepaliveTime').text()];
  const keepaliveTime = parseDuration(keepalive ?? '');
  const holdTime = hold === undefined ? (keepaliveTime ?? 0) * 3 : parseDuration(hold);
  if (keepaliveTime === undefined || holdTime === undefined) return;
  const given = { holdTime: hold, keepaliveTime: keepalive };
  if (keepaliveTime > holdTime) {
    spec.refuseAs(given, 'sends keepalives too seldom: set keepaliveTime to at most holdTime, better to a third of it');
  } else if (hold === undefined && !isHoldTime(holdTime)) {
    spec.refuseAs(given, 'has a holdTime of three times keepaliveTime, which must be 0s, or from 3s to 65535s');
  }
}

/** Of the seconds that the wire has room for: none, or at least three (RFC 4271, section 4.2). */
function isHoldTime(milliseconds: number): boolean {
  return milliseconds < 1_000 || (milliseconds >= shortestHold && milliseconds <= longestHold);
}

function readConnectTime(field: Field): number | undefined {
  const time = readDuration(field);
  if (time === undefined) return undefined;
  const whole = Math.trunc(time);
  if (time < 1_000 || time > longestHold || whole % 1_000 !== 0)
    field.refuse('must be whole seconds, from 1s to 65535s');
  return whole;
}

function readPassword(spec: Field): BGPPeerDeclaration['password'] {
  const text = spec.at('password').text() || undefined;
  const secret = spec.at('passwordSecret').at('name').text() || undefined;
  const namespace = spec.at('passwordSecret').at('namespace').text() || undefined;
  if (text !== undefined && secret !== undefined) {
    spec.refuseAs(undefined, 'has both password and passwordSecret: remove password');
  }
  return text ?? (secret === undefined ? undefined : { secret, namespace });
}
