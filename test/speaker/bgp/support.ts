import { type CompileOptions, compile, type Resources } from '../../../src/config/compile.ts';
import type { Config } from '../../../src/config/config.ts';
import type { EndpointSliceShape } from '../../../src/election/endpoints.ts';
import { type Address, parseAddress } from '../../../src/ip/address.ts';
import { formatPrefix } from '../../../src/ip/prefix.ts';
import type { Service } from '../../../src/kubernetes/core.ts';
import { type PeeringOptions, peeringsOf } from '../../../src/speaker/bgp/peers.ts';
import { type RouteDecision, RoutePolicy, type RoutePolicyOptions } from '../../../src/speaker/bgp/routes.ts';

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

type Named = { readonly annotations?: Readonly<Record<string, string>>; readonly [field: string]: unknown };

/** Specs by name; `annotations` stand among the fields. */
export type World = {
  readonly pools?: Readonly<Record<string, readonly string[]>>;
  readonly advertisements?: Readonly<Record<string, Named>>;
  readonly peers?: Readonly<Record<string, Named>>;
  readonly bfdProfiles?: Readonly<Record<string, Named>>;
};

const metadata = (name: string, annotations = {}) => ({ name, namespace: 'metallb-system', annotations });
const objects = (specs: Readonly<Record<string, Named>> = {}) =>
  Object.entries(specs).map(([name, { annotations, ...spec }]) => ({ metadata: metadata(name, annotations), spec }));

/** One pool, one advertisement of everything to everybody and one peer, unless the case says otherwise. */
export function configOf(world: World = {}, options?: CompileOptions): Config {
  const {
    pools = { office: ['192.0.2.0/24', '2001:db8::/64'] },
    advertisements = { all: {} },
    peers = { tor: {} },
    bfdProfiles,
  } = world;
  const resources: Resources = {
    pools: Object.entries(pools).map(([name, addresses]) => ({ metadata: metadata(name), spec: { addresses } })),
    l2Advertisements: [],
    bgpAdvertisements: objects(advertisements),
    peers: objects(peers).map(({ spec, ...peer }, i) => ({ ...peer, spec: { ...router(i, spec), ...spec } })),
    bfdProfiles: objects(bfdProfiles),
  };
  const compiled = compile(resources, options);
  if ('errors' in compiled) throw new Error(JSON.stringify(compiled.errors));
  return compiled.config;
}

function router(number: number, { dynamicASN, interface: device }: Readonly<Record<string, unknown>>) {
  return {
    myASN: 64_512,
    ...(dynamicASN === undefined ? { peerASN: 64_513 } : {}),
    ...(device === undefined ? { peerAddress: `198.51.100.${number + 1}` } : {}),
  };
}

export const nodeA = {
  name: 'node-a',
  labels: {},
  addresses: [address('198.51.100.101'), address('2001:db8:ffff::101')],
  interfaces: [
    { name: 'lo', addresses: [{ ...address('127.0.0.1'), length: 8 }] },
    {
      name: 'eth0',
      addresses: [
        { ...address('198.51.100.101'), length: 24 },
        { ...address('fe80::1'), length: 64 },
        { ...address('2001:db8:ffff::101'), length: 64 },
      ],
    },
  ],
} as const;

export const peeringOptions: PeeringOptions = {
  node: nodeA,
  namespace: 'metallb-system',
  passwordOf: (secret) => ({ problem: `there is no Secret ${secret}` }),
  defaults: 'native',
  restarted: false,
};

/** Of `node-a`. */
export function policyOf(config: Config, options: Partial<RoutePolicyOptions> = {}): RoutePolicy {
  const node = options.node ?? { name: 'node-a', labels: {}, networkUnavailable: false };
  const { peerings } = peeringsOf(config.peers, { ...peeringOptions, node: { ...nodeA, labels: node.labels } });
  return new RoutePolicy({ node, config, peerings, loadBalancerClass: '', ignoreExcludeLabel: false, ...options });
}

export function serviceAt(
  addresses: string,
  spec: Service['spec'] = {},
  meta: Partial<Pick<Service['metadata'], 'labels' | 'annotations'>> = {},
): Service {
  const ingress = addresses === '' ? [] : addresses.split(' ').map((ip) => ({ ip }));
  return {
    metadata: { name: 'web', namespace: 'default', ...meta },
    spec: { type: 'LoadBalancer', ...spec },
    status: { loadBalancer: { ingress } },
  };
}

const conditionsOf: Record<string, { ready?: boolean; serving?: boolean } | undefined> = {
  unready: { ready: false, serving: false },
  terminating: { ready: false, serving: true },
  terminated: { ready: false, serving: false },
  ready: { ready: true },
};

/** A slice each for `node-a node-b:unready`; without a node, `:ready`. */
export function slicesOf(...slices: readonly string[]): readonly EndpointSliceShape[] {
  return slices.map((rows) => ({
    endpoints: rows.split(' ').map((row) => {
      const [node = '', state = ''] = row.split(':');
      const conditions = conditionsOf[state];
      return { ...(node === '' ? {} : { nodeName: node }), ...(conditions === undefined ? {} : { conditions }) };
    }),
  }));
}

/** `tor: 192.0.2.1/32 2001:db8::1/128; spine: …`, or why nothing is announced. */
export function inWords(decision: RouteDecision): string {
  if ('withdraw' in decision) return decision.withdraw;
  const told = (peer: string) => decision.routes.filter(({ telling }) => telling.has(peer));
  const texts = decision.peers.map(
    (peer) =>
      `${peer}: ${told(peer)
        .map(({ prefix }) => formatPrefix(prefix))
        .join(' ')}`,
  );
  return texts.join('; ') || 'nobody';
}
