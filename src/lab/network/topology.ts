/**
 * The lab's LAN, as addresses and names. Every address is from a range set aside for tests (RFC 2544, RFC 3849).
 *
 *   remote .200.2 ──[ second subnet 198.18.200.0/24, 2001:db8:0:c8::/64 ]── router .1
 *                                                                            │
 *   ──┬──────────┬──────────┬────[ LAN 198.18.0.0/24, 2001:db8:0:1::/64 ]────┴──┬──  the switch
 *     n1 .11     n2 .12     n3 .13                                       client .200
 *     │  pods 198.19.1.0/24, 2001:db8:0:1001::/64 on n1; .2. and 1002 on n2 …
 *   ──┴──────────┴──────────┴────[ management 198.19.255.0/24 ]── .1, where the API server listens
 */

/** An IPv4 and an IPv6 address, or prefix, of the same thing. */
export type DualStack = { readonly v4: string; readonly v6: string };

export type NodeName = string;

/** The hosts of the lab beside its nodes. `switch` and `management` are the two bridges. */
export const fixedHosts = ['switch', 'management', 'client', 'router', 'remote'] as const;
export type HostName = (typeof fixedHosts)[number] | NodeName;

export type LabNode = {
  readonly name: NodeName;
  /** From 1: the third number of its pods' addresses. */
  readonly number: number;
  /** Of eth0, on the LAN. */
  readonly mac: string;
  readonly address: DualStack;
  readonly managementAddress: string;
  readonly podPrefix: DualStack;
  /** What its pods send everything to: the node's end of each pod's veth carries it. */
  readonly podGateway: DualStack;
};

export type Topology = { readonly nodes: readonly LabNode[] };

const maximumNodes = 9;

/** @throws RangeError unless `nodeCount` is 1 to 9. */
export function labTopology(nodeCount = 3): Topology {
  if (!Number.isInteger(nodeCount) || nodeCount < 1 || nodeCount > maximumNodes) {
    throw new RangeError(`a lab of ${nodeCount} nodes: 1 to ${maximumNodes} are possible`);
  }
  return { nodes: Array.from({ length: nodeCount }, (_, index) => labNode(index + 1)) };
}

export const router = { mac: '02:18:00:00:00:01', address: { v4: '198.18.0.1', v6: '2001:db8:0:1::1' } } as const;
export const client = { mac: '02:18:00:00:00:c8', address: { v4: '198.18.0.200', v6: '2001:db8:0:1::200' } } as const;

/** The subnet behind the router. */
export const secondSubnet = {
  prefix: { v4: '198.18.200.0/24', v6: '2001:db8:0:c8::/64' },
  routerMac: '02:18:00:00:c8:01',
  routerAddress: { v4: '198.18.200.1', v6: '2001:db8:0:c8::1' },
} as const;
export const remote = { mac: '02:18:00:00:c8:02', address: { v4: '198.18.200.2', v6: '2001:db8:0:c8::2' } } as const;

/** Where the API server listens: listenIn(network.namespace('management'), {host: managementAddress, port: 6443}). */
export const managementAddress = '198.19.255.1';

/** Pods are numbered from 2 on each node: 1 is the gateway. */
export const podNumbers = { first: 2, last: 254 } as const;

export function podAddress(node: LabNode, number: number): DualStack {
  return { v4: `198.19.${node.number}.${number}`, v6: `2001:db8:0:100${node.number}::${number.toString(16)}` };
}

function labNode(number: number): LabNode {
  const pods = `2001:db8:0:100${number}`;
  return {
    name: `n${number}`,
    number,
    mac: `02:18:00:00:00:1${number}`,
    address: { v4: `198.18.0.1${number}`, v6: `2001:db8:0:1::1${number}` },
    managementAddress: `198.19.255.1${number}`,
    podPrefix: { v4: `198.19.${number}.0/24`, v6: `${pods}::/64` },
    podGateway: { v4: `198.19.${number}.1`, v6: `${pods}::1` },
  };
}
