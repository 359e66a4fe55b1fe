import type { ControllerOptions } from '../../src/controller/controller.ts';
import { mergePatch } from '../../src/kubernetes/apply.ts';
import {
  bgpSessionStatuses,
  configurationStates,
  serviceBGPStatuses,
  serviceL2Statuses,
} from '../../src/kubernetes/config-kinds.ts';
import type { KubernetesObject } from '../../src/kubernetes/core.ts';
import type { Resource } from '../../src/kubernetes/resource.ts';
import { system, type TestCluster } from '../support/cluster.ts';
import { eventually } from '../support/suite.ts';
import type { World } from './support.ts';

export const asked = 'garpoon.io/dns-targets';
export const written = 'garpoon.io/dns-targets-written';
export const target = 'external-dns.alpha.kubernetes.io/target';
export const hostname = 'external-dns.alpha.kubernetes.io/hostname';
export const ttl = 'external-dns.alpha.kubernetes.io/ttl';

/** Without patience, but for an address that is not verified any more: that stays for ever. */
export const quick = { gather: 10, pause: 10, grace: 3_600_000, retry: 20 } as const;
/** It goes at once. */
export const graceless = { ...quick, grace: 0 } as const;

type Answer = {
  readonly verified?: boolean;
  /** A later claim than others; seconds. */
  readonly since?: number;
  readonly conflict?: boolean;
};

/** What the speakers of a cluster without speakers write. */
export class Speakers {
  readonly #cluster: TestCluster;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  /** Nodes with a speaker each, which tells what it makes of the configuration. */
  async on(...nodes: readonly string[]): Promise<void> {
    for (const node of nodes) {
      await this.#cluster.node(node);
      const labels = { 'metallb.io/component-type': 'speaker', 'metallb.io/node-name': node };
      await this.#cluster.put(configurationStates, {
        metadata: { name: `speaker-${node}`, namespace: system, labels },
      });
    }
  }

  /** The node answers for these addresses of the Service, and for no others. */
  async answer(node: string, service: string, addresses: Readonly<Record<string, Answer>>): Promise<void> {
    await this.#say(serviceL2Statuses, `l2-${service}-${node}`, {
      ...subject(node, service),
      addresses: Object.entries(addresses).map(([address, { verified, since = 0, conflict }]) => ({
        address,
        since: time(since),
        ...(verified ? { verified: { at: time(since + 1), by: 'node-z', mac: '02:00:00:00:00:01' } } : {}),
        ...(conflict ? { conflict: { since: time(since), mac: '02:00:00:00:00:02', interface: 'eth0' } } : {}),
      })),
    });
  }

  /** The node tells these peers of the Service. */
  async announce(node: string, service: string, peers: readonly string[]): Promise<void> {
    await this.#say(serviceBGPStatuses, `bgp-${service}-${node}`, { ...subject(node, service), peers });
  }

  async session(node: string, peer: string, state: string, families = ['ipv4', 'ipv6']): Promise<void> {
    await this.#say(bgpSessionStatuses, `${node}-${peer}`, { node, peer, state, families });
  }

  async #say(of: Resource<KubernetesObject>, name: string, status: object): Promise<void> {
    const { client } = this.#cluster;
    await this.#cluster.put(of, { metadata: { name, namespace: system } });
    await mergePatch(client, of, `${system}/${name}`, { status }, { subresource: 'status' });
  }
}

/** A pool of two families, and a controller that does not wait. */
export async function startWith(
  world: World,
  dnsTiming: ControllerOptions['dnsTiming'] = graceless,
): Promise<Speakers> {
  await world.cluster.pool('lan', ['192.0.2.10-192.0.2.19', '2001:db8::10-2001:db8::19']);
  const speakers = new Speakers(world.cluster);
  await speakers.on('node-a', 'node-b', 'node-c');
  await world.start({ dnsTiming: dnsTiming ?? graceless });
  return speakers;
}

/** A Service with 192.0.2.N and 2001:db8::N, the next of both. */
export async function dualStack(world: World, name: string, annotations: Record<string, string>): Promise<void> {
  await world.cluster.service(name, { ipFamilyPolicy: 'RequireDualStack' }, { annotations });
  await eventually(`${name} has its addresses`, async () => (await world.cluster.addresses(name)).includes(' '));
}

export async function annotationOf(cluster: TestCluster, service: string, name: string): Promise<string | undefined> {
  return (await cluster.getService(service)).metadata.annotations?.[name];
}

/** Resolves when the annotation for external-dns says this; undefined: when there is none. */
export async function targets(cluster: TestCluster, service: string, expected: string | undefined): Promise<void> {
  await eventually(`${service} has the targets ${expected}`, async () => {
    return (await annotationOf(cluster, service, target)) === expected;
  });
}

function subject(node: string, service: string) {
  return { node, serviceName: service, serviceNamespace: 'default' };
}

function time(seconds: number): string {
  return new Date(Date.UTC(2026, 0, 1) + seconds * 1_000).toISOString();
}
