import { type Address, parseAddress } from '../ip/address.ts';
import { type BFDIntervals, readBFDIntervals, readMinimumTtl } from './bfd-profile.ts';
import type { BGPPeerDeclaration } from './bgp-peer.ts';
import { bgpPort, maxASN, readRouterID, readTimers } from './bgp-peer.ts';
import type { Field } from './field.ts';
import { isLabelValue } from './label-selector.ts';
import { type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `metalloadbalancerbgppeers.network.deckhouse.io/v1alpha1` as the API serves it. Of the cluster. */
export type MetalLoadBalancerBGPPeer = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta;
  readonly spec: {
    readonly peerAddress: string;
    readonly peerPort?: number;
    readonly peerASN: number;
    readonly myASN: number;
    readonly routerID?: string;
    readonly holdTime?: string;
    readonly passwordSecretRef?: { readonly name: string; readonly namespace: string };
    readonly sourceAddresses?: readonly { readonly nodeName: string; readonly address: string }[];
    readonly bfd?: {
      readonly receiveInterval?: number;
      readonly transmitInterval?: number;
      readonly detectMultiplier?: number;
      readonly echoInterval?: number;
      readonly echoMode?: boolean;
      readonly passiveMode?: boolean;
      readonly minimumTTL?: number;
    };
  };
};

/** What one MetalLoadBalancerBGPPeer says. Who speaks to it, and of what, stands in MetalLoadBalancerConfigurations. */
export type MetalPeerDeclaration = Pick<
  BGPPeerDeclaration,
  'object' | 'name' | 'myASN' | 'port' | 'timers' | 'routerID'
> & {
  readonly peerASN: number;
  readonly address: Address;
  readonly password: { readonly secret: string; readonly namespace: string } | undefined;
  /** By node, each once. */
  readonly sourceAddresses: ReadonlyMap<string, Address>;
  readonly bfd: BFDIntervals | undefined;
};

const maxPort = 65_535;
/** As in deploy/crds/deckhouse. */
const maxSourceAddresses = 4_096;

/** Reads an object from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseMetalPeer(raw: unknown): Parsed<MetalPeerDeclaration> {
  return parseResource('MetalLoadBalancerBGPPeer', raw, (root, { object, name }) => {
    const spec = root.at('spec').required();
    return {
      object,
      name,
      myASN: spec.at('myASN').required().integerWithin(1, maxASN) ?? 1,
      peerASN: spec.at('peerASN').required().integerWithin(1, maxASN) ?? 1,
      address: readAddress(spec.at('peerAddress')) ?? unspecified,
      port: spec.at('peerPort').integerWithin(1, maxPort) ?? bgpPort,
      timers: readTimers(spec),
      routerID: readRouterID(spec.at('routerID')),
      password: readSecret(spec.at('passwordSecretRef')),
      sourceAddresses: readSourceAddresses(spec.at('sourceAddresses')),
      bfd: readBFD(spec.at('bfd')),
    };
  });
}

/** In the place of an address that was refused. */
const unspecified: Address = { family: 4, value: 0n };

function readAddress(field: Field): Address | undefined {
  const text = field.required().text();
  const address = text === undefined ? undefined : parseAddress(text);
  if (text !== undefined && !address) field.refuse('is no address: write one such as 192.0.2.1 or 2001:db8::1');
  return address;
}

function readSecret(field: Field): MetalPeerDeclaration['password'] {
  const [secret, namespace] = ['name', 'namespace'].map((key) => {
    const part = field.absent ? field.at(key) : field.at(key).required();
    if (part.text() === '') part.refuse('must not be empty');
    return part.text() ?? '';
  });
  return field.absent ? undefined : { secret: secret ?? '', namespace: namespace ?? '' };
}

function readSourceAddresses(field: Field): ReadonlyMap<string, Address> {
  const addresses = new Map<string, Address>();
  for (const item of field.items(maxSourceAddresses)) {
    const node = item.required().at('nodeName').required();
    const name = node.text();
    const address = readAddress(item.at('address'));
    if (name !== undefined && (name === '' || !isLabelValue(name))) {
      node.refuse('is no name that the label kubernetes.io/hostname of a Node can have');
    }
    if (name !== undefined && addresses.has(name)) item.refuse(`has the node ${name} twice: remove one of the two`);
    if (name !== undefined && address !== undefined) addresses.set(name, address);
  }
  return addresses;
}

function readBFD(field: Field): BFDIntervals | undefined {
  const intervals = { ...readBFDIntervals(field), minimumTtl: readMinimumTtl(field.at('minimumTTL')) };
  return field.absent ? undefined : intervals;
}
