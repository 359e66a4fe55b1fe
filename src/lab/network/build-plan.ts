import {
  client,
  type DualStack,
  fixedHosts,
  type HostName,
  type LabNode,
  managementAddress,
  remote,
  router,
  secondSubnet,
  type Topology,
} from './topology.ts';

/** Lines for `ip -batch`. */
export type Batch = readonly string[];

/** The full name of a host's namespace. */
export type NameOf = (host: HostName) => string;

/**
 * What makes the LAN: first one batch that makes the namespaces and everything between them, then one batch inside each
 * namespace, in any order.
 */
export type BuildPlan = { readonly create: Batch; readonly configure: ReadonlyMap<HostName, Batch> };

export function buildPlan(topology: Topology, nameOf: NameOf): BuildPlan {
  const hosts: readonly HostName[] = [...fixedHosts, ...topology.nodes.map((node) => node.name)];
  return {
    create: [
      ...hosts.map((host) => `netns add ${nameOf(host)}`),
      // Before any interface exists: interfaces take the defaults of the moment they are made.
      ...hosts.map((host) => kernelSettings(nameOf(host), settingsOf(host))),
      ...links(topology, nameOf),
    ],
    configure: new Map<HostName, Batch>([
      ['switch', bridgePorts(['client', 'router', ...topology.nodes.map((node) => node.name)])],
      [
        'management',
        [`addr add ${managementAddress}/24 dev br0`, ...bridgePorts(topology.nodes.map((node) => node.name))],
      ],
      ['client', [...interfaceUp('eth0', client.address), ...defaultRoutes(router.address)]],
      ['router', [...interfaceUp('eth0', router.address), ...interfaceUp('eth1', secondSubnet.routerAddress)]],
      ['remote', [...interfaceUp('eth0', remote.address), ...defaultRoutes(secondSubnet.routerAddress)]],
      ...topology.nodes.map((node): [HostName, Batch] => [node.name, configureNode(node, topology)]),
    ]),
  };
}

/** What connects a Pod's namespace to its node: a veth and a host route at each end, no bridge. */
export type PodPlan = { readonly create: Batch; readonly configureNode: Batch; readonly configurePod: Batch };

export function podPlan(
  node: LabNode,
  names: { readonly node: string; readonly pod: string; readonly nodeInterface: string },
  address: DualStack,
): PodPlan {
  const { nodeInterface } = names;
  const { v4, v6 } = node.podGateway;
  return {
    create: [
      `netns add ${names.pod}`,
      kernelSettings(names.pod, settings.endHost),
      `link add ${nodeInterface} netns ${names.node} type veth peer name eth0 netns ${names.pod}`,
    ],
    configureNode: [
      `addr add ${v4}/32 dev ${nodeInterface}`,
      `addr add ${v6}/128 dev ${nodeInterface}`,
      `link set ${nodeInterface} up`,
      `route add ${address.v4}/32 dev ${nodeInterface}`,
      `route add ${address.v6}/128 dev ${nodeInterface}`,
    ],
    configurePod: [
      ...loopbackUp,
      `addr add ${address.v4}/32 dev eth0`,
      `addr add ${address.v6}/128 dev eth0`,
      'link set eth0 up',
      `route add default via ${v4} dev eth0 onlink`,
      `route add default via ${v6} dev eth0 onlink`,
    ],
  };
}

/** Paths below /proc/sys/net and their values. */
type KernelSettings = readonly (readonly [string, number])[];

const endHost: KernelSettings = [
  // Both must be off: the larger of `all` and the interface's own counts.
  ['ipv6/conf/all/accept_dad', 0],
  ['ipv6/conf/default/accept_dad', 0],
  ['ipv4/conf/all/accept_redirects', 0],
  ['ipv4/conf/default/accept_redirects', 0],
  ['ipv6/conf/all/accept_redirects', 0],
  ['ipv6/conf/default/accept_redirects', 0],
];

const settings = {
  endHost,
  // A switch has no address of its own and must not send anything by itself.
  bridge: [
    ['ipv6/conf/all/disable_ipv6', 1],
    ['ipv6/conf/default/disable_ipv6', 1],
  ],
  forwarder: [
    ...endHost,
    ['ipv4/ip_forward', 1],
    ['ipv6/conf/all/forwarding', 1],
    ['ipv6/conf/default/forwarding', 1],
    // The answer to a packet for a Service may leave by another way than the packet came.
    ['ipv4/conf/all/rp_filter', 0],
    ['ipv4/conf/default/rp_filter', 0],
    ['ipv4/conf/all/send_redirects', 0],
    ['ipv4/conf/default/send_redirects', 0],
  ],
} as const satisfies Record<string, KernelSettings>;

function settingsOf(host: HostName): KernelSettings {
  if (host === 'switch' || host === 'management') return settings.bridge;
  return host === 'client' || host === 'remote' ? settings.endHost : settings.forwarder;
}

/** One batch line. By `echo`, because `sysctl` is not installed everywhere. */
function kernelSettings(namespace: string, values: KernelSettings): string {
  const writes = values.map(([path, value]) => `echo ${value} >/proc/sys/net/${path}`);
  return `netns exec ${namespace} sh -c "${writes.join(' && ')}"`;
}

function links({ nodes }: Topology, nameOf: NameOf): Batch {
  // Ports are named after the host they lead to. No forwarding delay: the only switch cannot make a loop.
  const bridge = 'type bridge stp_state 0 forward_delay 0 mcast_snooping 0';
  const port = (bridgeHost: HostName, host: HostName, name: string, mac?: string) =>
    `link add ${host} netns ${nameOf(bridgeHost)} type veth peer name ${name}` +
    `${mac === undefined ? '' : ` address ${mac}`} netns ${nameOf(host)}`;
  return [
    `link add br0 netns ${nameOf('switch')} ${bridge}`,
    `link add br0 netns ${nameOf('management')} ${bridge}`,
    port('switch', 'client', 'eth0', client.mac),
    port('switch', 'router', 'eth0', router.mac),
    ...nodes.flatMap((node) => [port('switch', node.name, 'eth0', node.mac), port('management', node.name, 'mgmt0')]),
    `link add eth1 address ${secondSubnet.routerMac} netns ${nameOf('router')} ` +
      `type veth peer name eth0 address ${remote.mac} netns ${nameOf('remote')}`,
  ];
}

function configureNode(node: LabNode, { nodes }: Topology): Batch {
  return [
    ...interfaceUp('eth0', node.address),
    `addr add ${node.managementAddress}/24 dev mgmt0`,
    'link set mgmt0 up',
    ...defaultRoutes(router.address),
    ...nodes
      .filter((other) => other !== node)
      .flatMap((other) => [
        `route add ${other.podPrefix.v4} via ${other.address.v4}`,
        `route add ${other.podPrefix.v6} via ${other.address.v6}`,
      ]),
  ];
}

function bridgePorts(ports: readonly string[]): Batch {
  return ['link set lo up', 'link set br0 up', ...ports.map((port) => `link set ${port} master br0 up`)];
}

function interfaceUp(name: string, address: DualStack): Batch {
  return [
    ...loopbackUp,
    `addr add ${address.v4}/24 dev ${name}`,
    `addr add ${address.v6}/64 dev ${name}`,
    `link set ${name} up`,
  ];
}

function defaultRoutes(via: DualStack): Batch {
  return [`route add default via ${via.v4}`, `route add default via ${via.v6}`];
}

const loopbackUp: Batch = ['link set lo up'];
