import type { Family } from '../../src/ip/address.ts';
import { addCable, connect, Netns } from './netns.ts';

export type BgpBedOptions = {
  readonly nodes?: number;
  /** Puts a hop between the switch and the router. */
  readonly hop?: boolean;
  /** Puts a client behind the router. */
  readonly client?: boolean;
};

type Addresses = { readonly [family in Family]: string };

/**
 * Nodes and a router on a switch, which can be cut without either seeing a carrier go:
 *
 *   nodes[0] eth0 ── p-0 ┐
 *   nodes[1] eth0 ── p-1 [br0] p-router ── eth0  router  eth1 ── eth0 client
 *
 * With a hop: p-router ── eth0 hop eth1 ── eth0 router. Link-local addresses follow from the MAC addresses.
 */
export class BgpBed {
  static create({ nodes = 1, hop = false, client = false }: BgpBedOptions = {}): BgpBed {
    const bed = new BgpBed(nodes, hop, client);
    bed.between.ip('link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
    bed.between.ip('link', 'set', 'br0', 'up');
    for (const [i, node] of bed.nodes.entries()) {
      bed.#plug(node, `p-${i}`, `02:00:00:00:01:0${i}`, bed.nodeAddresses(i));
    }
    for (const netns of [bed.router, bed.hop]) netns?.sysctl('net.ipv4.ip_forward', 1);
    for (const netns of [bed.router, bed.hop]) netns?.sysctl('net.ipv6.conf.all.forwarding', 1);
    // By ports, too: a client alone makes use of all nodes.
    for (const family of ['ipv4', 'ipv6']) bed.router.sysctl(`net.${family}.fib_multipath_hash_policy`, 1);
    if (bed.hop) bed.#putHop(bed.hop);
    else bed.#plug(bed.router, 'p-router', routerMac, bed.routerAddresses);
    if (bed.client) bed.#putClient(bed.client);
    return bed;
  }

  readonly nodes: readonly Netns[];
  readonly router = Netns.create('bgp-router');
  readonly between = Netns.create('bgp-switch');
  readonly hop: Netns | undefined;
  readonly client: Netns | undefined;

  private constructor(nodes: number, hop: boolean, client: boolean) {
    this.nodes = Array.from({ length: nodes }, (_, i) => Netns.create(`bgp-node-${i}`));
    this.hop = hop ? Netns.create('bgp-hop') : undefined;
    this.client = client ? Netns.create('bgp-client') : undefined;
  }

  /** Of the node that most tests have. */
  get node(): Netns {
    return this.nodes[0]!;
  }

  get routerAddresses(): Addresses {
    return this.hop ? { 4: '198.19.0.1', 6: '2001:db8:1::1' } : { 4: '198.18.0.1', 6: '2001:db8::1' };
  }

  nodeAddresses(i = 0): Addresses {
    return { 4: `198.18.0.${11 + i}`, 6: `2001:db8::${11 + i}` };
  }

  readonly routerLinkLocal = 'fe80::ff:fe00:1';

  nodeLinkLocal(i = 0): string {
    return `fe80::ff:fe00:10${i}`;
  }

  /** Nothing passes between a node and the others any more, and no interface goes down. */
  cut(i = 0): void {
    this.between.ip('link', 'set', `p-${i}`, 'nomaster');
  }

  repair(i = 0): void {
    this.between.ip('link', 'set', `p-${i}`, 'master', 'br0');
  }

  /** The next hops that the router's kernel has for a prefix, sorted. */
  forwarding(prefix: string): string[] {
    const family = prefix.includes(':') ? '-6' : '-4';
    const routes = JSON.parse(this.router.ip('-j', family, 'route', 'show', prefix)) as readonly KernelRoute[];
    return routes.flatMap(gateways).sort();
  }

  close(): void {
    for (const netns of [...this.nodes, this.router, this.between, this.hop, this.client]) netns?.destroy();
  }

  #plug(netns: Netns, port: string, mac: string, addresses: Addresses): void {
    connect({ netns, name: 'eth0', mac }, { netns: this.between, name: port });
    this.between.ip('link', 'set', port, 'master', 'br0');
    assign(netns, 'eth0', addresses);
  }

  #putHop(hop: Netns): void {
    this.#plug(hop, 'p-router', '02:00:00:00:02:00', { 4: '198.18.0.254', 6: '2001:db8::fe' });
    addCable({ netns: hop, name: 'eth1' }, { netns: this.router, name: 'eth0', mac: routerMac });
    for (const [netns, name] of [
      [hop, 'eth1'],
      [this.router, 'eth0'],
    ] as const)
      netns.ip('link', 'set', name, 'up');
    assign(hop, 'eth1', { 4: '198.19.0.254', 6: '2001:db8:1::fe' });
    assign(this.router, 'eth0', this.routerAddresses);
    for (const node of this.nodes) {
      node.ip('route', 'add', '198.19.0.0/24', 'via', '198.18.0.254');
      node.ip('route', 'add', '2001:db8:1::/64', 'via', '2001:db8::fe');
    }
    this.router.ip('route', 'add', '198.18.0.0/24', 'via', '198.19.0.254');
    this.router.ip('route', 'add', '2001:db8::/64', 'via', '2001:db8:1::fe');
  }

  #putClient(client: Netns): void {
    connect({ netns: this.router, name: 'eth1' }, { netns: client, name: 'eth0' });
    assign(this.router, 'eth1', { 4: '198.18.2.1', 6: '2001:db8:2::1' });
    assign(client, 'eth0', { 4: '198.18.2.2', 6: '2001:db8:2::2' });
    client.ip('route', 'add', 'default', 'via', '198.18.2.1');
    client.ip('route', 'add', 'default', 'via', '2001:db8:2::1');
    for (const node of this.nodes) {
      node.ip('route', 'add', '198.18.2.0/24', 'via', this.routerAddresses[4]);
      node.ip('route', 'add', '2001:db8:2::/64', 'via', this.routerAddresses[6]);
    }
  }
}

const routerMac = '02:00:00:00:00:01';

type KernelRoute = {
  readonly gateway?: string;
  readonly via?: { readonly host: string };
  readonly nexthops?: readonly KernelRoute[];
};

function gateways({ gateway, via, nexthops = [] }: KernelRoute): string[] {
  const own = gateway ?? via?.host;
  return own === undefined ? nexthops.flatMap(gateways) : [own];
}

function assign(netns: Netns, name: string, addresses: Addresses): void {
  netns.ip('addr', 'add', `${addresses[4]}/24`, 'dev', name);
  netns.ip('addr', 'add', `${addresses[6]}/64`, 'dev', name, 'nodad');
}
