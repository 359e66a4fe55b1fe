import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { isConflict } from '../../src/kubernetes/api-error.ts';
import { updateStatus } from '../../src/kubernetes/apply.ts';
import { ApiClient, type ClientOptions, type NewObject } from '../../src/kubernetes/client.ts';
import { ipAddressPools, l2Advertisements } from '../../src/kubernetes/config-kinds.ts';
import type { EndpointSlice, EventObject, KubernetesObject, Service } from '../../src/kubernetes/core.ts';
import {
  endpointSlices,
  events,
  keyOf,
  namespaces,
  nodes,
  type ObjectKey,
  type Resource,
  services,
} from '../../src/kubernetes/resource.ts';
import { ApiServer, type ApiServerOptions } from '../../src/lab/api-server/api-server.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Random, seededRandom } from '../../src/runtime/random.ts';
import { dnsEndpointDefinition } from './dns-endpoint-definition.ts';

/** Where the cluster's configuration lives. */
export const system = 'metallb-system';

/** Draws the shortest of all delays, so that a test waits no longer than it must; the rest is chance as usual. */
export const impatient: Random = { ...seededRandom(7), float: () => 0 };

const folder = new URL('../../deploy/crds/', import.meta.url);
const crdsIn = (at: URL) =>
  readdirSync(at)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => parse(readFileSync(new URL(file, at), 'utf8')));
const crds = crdsIn(folder);
const crdsOnRequest = crdsIn(new URL('deckhouse/', folder));

type Meta = { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> };

/** One endpoint: the node it is on, and its conditions; ready when absent. */
export type EndpointRow = { readonly node?: string } & NonNullable<EndpointSlice['endpoints']>[number]['conditions'];

type TestClusterOptions = Pick<ApiServerOptions, 'webhookServices'> & {
  readonly deckhouse?: boolean;
  readonly externalDns?: boolean;
};

/**
 * A cluster that is nothing but its API server: objects come and go as a test says, and nobody but the code under test
 * acts on them. Names without a slash are in the namespace `default`; configuration is in `system`.
 */
export class TestCluster {
  readonly api: ApiServer;
  /** For the test's own use. */
  readonly client: ApiClient;
  readonly #port: number;
  readonly #clients: ApiClient[] = [];

  /** With `deckhouse`, it has the kinds of network.deckhouse.io as well; with `externalDns`, DNSEndpoint. */
  static async start({
    deckhouse = false,
    externalDns = false,
    ...options
  }: TestClusterOptions = {}): Promise<TestCluster> {
    const edge = { clock: systemClock, random: seededRandom(1), log: silentLogger };
    const more = [...(deckhouse ? crdsOnRequest : []), ...(externalDns ? [dnsEndpointDefinition] : [])];
    const api = new ApiServer({ ...edge, ...options, crds: [...crds, ...more] });
    const place = await api.listen({ host: '127.0.0.1', port: 0 });
    if (!('port' in place)) throw new TypeError('asked for a port, got a path');
    const cluster = new TestCluster(api, place.port);
    await cluster.namespace(system);
    return cluster;
  }

  constructor(api: ApiServer, port: number) {
    this.api = api;
    this.#port = port;
    this.client = this.newClient();
  }

  /** A client for one program under test, or one of a class of the test's own. Closed with the cluster. */
  newClient(): ApiClient;
  newClient<C extends ApiClient>(of: new (options: ClientOptions) => C): C;
  newClient(of: new (options: ClientOptions) => ApiClient = ApiClient): ApiClient {
    const client = new of({ server: `http://127.0.0.1:${this.#port}`, clock: systemClock });
    this.#clients.push(client);
    return client;
  }

  /** The API server goes away: connections break, and new ones are refused. Its objects remain. */
  async away(): Promise<void> {
    await this.api.close();
  }

  /** The API server is there again, at its old place. */
  async back(): Promise<void> {
    await this.api.listen({ host: '127.0.0.1', port: this.#port });
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.api.close();
  }

  /** Creates the object, or makes it as given; a status it has is kept. */
  async put<T extends KubernetesObject>(of: Resource<T>, object: T): Promise<T> {
    const there = await this.client.get(of, keyOf(object));
    if (there === undefined) return this.client.create(of, object as NewObject<T>);
    return this.change(of, keyOf(object), (current) => ({ ...current, ...object }));
  }

  /** Reads, changes and writes, as somebody with an editor does, and again after a conflict. */
  async change<T extends KubernetesObject>(of: Resource<T>, key: ObjectKey, mutate: (current: T) => T): Promise<T> {
    for (;;) {
      const current = await this.client.get(of, key);
      if (current === undefined) throw new Error(`change ${of.plural} ${key}: there is none`);
      const wanted = mutate(structuredClone(current));
      const metadata = { ...wanted.metadata, resourceVersion: current.metadata.resourceVersion };
      try {
        return await this.client.update(of, { ...wanted, metadata } as T);
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }

  async namespace(name: string, labels: Record<string, string> = {}): Promise<void> {
    await this.put(namespaces, { metadata: { name, labels } });
  }

  async pool(name: string, addresses: readonly string[], spec: object = {}, meta: Meta = {}): Promise<void> {
    const metadata = { ...meta, name, namespace: system };
    await this.put(ipAddressPools, { metadata, spec: { addresses, ...spec } });
  }

  async removePool(name: string): Promise<void> {
    await this.client.delete(ipAddressPools, `${system}/${name}`);
  }

  async advertisement(name: string, spec: object = {}): Promise<void> {
    await this.put(l2Advertisements, { metadata: { name, namespace: system }, spec });
  }

  /** Of type LoadBalancer, with port 80 and the selector `app=NAME`, unless `spec` says otherwise. */
  async service(name: string, spec: Service['spec'] = {}, meta: Meta = {}): Promise<Service> {
    const at = placeOf(name);
    const whole = { type: 'LoadBalancer', ports: [{ port: 80 }], selector: { app: at.name }, ...spec } as const;
    return this.client.create(services, { metadata: { ...meta, ...at }, spec: whole });
  }

  /** Changes a Service: its spec, labels and annotations get these on top; undefined takes an entry away. */
  async edit(name: string, spec: object, labels: object = {}, annotations: object = {}): Promise<void> {
    await this.change(services, keyOf({ metadata: placeOf(name) }), (service) => ({
      ...service,
      metadata: {
        ...service.metadata,
        labels: { ...service.metadata.labels, ...labels },
        annotations: { ...service.metadata.annotations, ...annotations },
      },
      spec: { ...service.spec, ...spec },
    }));
  }

  async annotate(name: string, annotations: object): Promise<void> {
    await this.edit(name, {}, {}, annotations);
  }

  /** Writes the status of a Service, as another controller would. */
  async setAddresses(name: string, addresses: readonly string[]): Promise<void> {
    await updateStatus(this.client, services, keyOf({ metadata: placeOf(name) }), (service) => ({
      ...service,
      status: { loadBalancer: addresses.length === 0 ? {} : { ingress: addresses.map((ip) => ({ ip })) } },
    }));
  }

  async deleteService(name: string): Promise<void> {
    await this.client.delete(services, keyOf({ metadata: placeOf(name) }));
  }

  async getService(name: string): Promise<Service> {
    const service = await this.client.get(services, keyOf({ metadata: placeOf(name) }));
    if (service === undefined) throw new Error(`no Service ${name}`);
    return service;
  }

  async listServices(): Promise<readonly Service[]> {
    return (await this.client.list(services)).items ?? [];
  }

  /** What the status says, joined by spaces; empty for nothing. */
  async addresses(name: string): Promise<string> {
    return addressText(await this.getService(name));
  }

  /** The one EndpointSlice of a Service. */
  async endpoints(of: string, rows: readonly EndpointRow[]): Promise<void> {
    const { namespace, name } = placeOf(of);
    await this.put(endpointSlices, {
      metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      endpoints: rows.map(({ node, ...conditions }, i) => ({
        addresses: [`198.18.0.${i + 1}`],
        ...(node === undefined ? {} : { nodeName: node }),
        conditions: { ready: true, ...conditions },
      })),
    });
  }

  async node(name: string, labels: Record<string, string> = {}, networkUnavailable = false): Promise<void> {
    await this.put(nodes, { metadata: { name, labels } });
    const condition = { type: 'NetworkUnavailable', status: networkUnavailable ? 'True' : 'False' };
    await updateStatus(this.client, nodes, name, (node) => ({ ...node, status: { conditions: [condition] } }));
  }

  /** The events about the Service with this reason: one object each, with its count. */
  async events(name: string, reason: string): Promise<readonly EventObject[]> {
    const { items } = await this.client.list(events, { namespace: placeOf(name).namespace });
    return (items ?? []).filter((event) => event.reason === reason && event.involvedObject.name === placeOf(name).name);
  }

  /** How often that happened. */
  async eventCount(name: string, reason: string): Promise<number> {
    return (await this.events(name, reason)).reduce((sum, event) => sum + event.count, 0);
  }
}

export function addressText(service: Service): string {
  return (service.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip).join(' ');
}

function placeOf(name: string): { readonly namespace: string; readonly name: string } {
  const slash = name.indexOf('/');
  return slash === -1
    ? { namespace: 'default', name }
    : { namespace: name.slice(0, slash), name: name.slice(slash + 1) };
}
