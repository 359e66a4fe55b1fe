import type { Server } from 'node:http';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Random } from '../../runtime/random.ts';
import { parseServiceRange } from './builtin/cluster-addresses.ts';
import { definitionsResource } from './builtin/definition-rules.ts';
import { builtinKinds } from './builtin/kinds.ts';
import { ServiceAllocations } from './builtin/service-allocations.ts';
import type { Core } from './core.ts';
import { customKinds } from './custom-kinds.ts';
import { Faults } from './faults.ts';
import { collectGarbage } from './garbage-collector.ts';
import { HttpFace } from './http.ts';
import type { Json } from './json.ts';
import { Registry } from './registry.ts';
import type { ApiRequest } from './request.ts';
import { type Change, keyOf, Store } from './store.ts';
import { type ServicePlaces, WebhookClient } from './webhook-client.ts';
import { createInitial } from './write.ts';

export type ApiServerOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** CustomResourceDefinitions, as parsed from YAML, that are there from the start. */
  readonly crds: readonly unknown[];
  /** Where cluster IPs are taken from, in CIDR notation; the first one's family is the preferred one. */
  readonly serviceCidrs?: readonly string[];
  /** Where webhooks are reached that are registered by their Service. */
  readonly webhookServices?: ServicePlaces;
  /** Called with every request that arrives. */
  readonly onRequest?: (request: Pick<ApiRequest, 'method' | 'path' | 'userAgent'>) => void;
};

/** A port, a socket path, or a server that listens already: in another network namespace, say. */
export type ListenTarget = { readonly port: number; readonly host: string } | { readonly path: string } | NetServer;

const defaultServiceCidrs = ['198.19.128.0/17', '2001:db8:ffff::/112'];
const initialNamespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

/**
 * A Kubernetes API server in one object, in memory, over plain HTTP: what kubectl and controllers need, and nobody
 * else. It authenticates nobody and allows everything: listen on loopback, on a socket, or inside a namespace.
 *
 * What it does otherwise than the real one: garbage and namespaces are collected inside the request that makes them,
 * Pods go at once, a foreground deletion is a background one, and there are no controllers: a Deployment makes no Pods.
 * Webhooks are called over connections of their own, and not about what is collected.
 */
export class ApiServer {
  /** Makes the server fail on purpose. */
  readonly faults: Faults;
  readonly #core: Core;
  readonly #face: HttpFace;
  readonly #listeners = new Set<NetServer>();
  readonly #connections = new Set<Socket>();

  /** Throws a RangeError for a bad service range, and a StatusError for a definition that is not valid. */
  constructor(options: ApiServerOptions) {
    const { clock, random, log } = options;
    const store = new Store();
    const ranges = (options.serviceCidrs ?? defaultServiceCidrs).map(parseServiceRange);
    const warn = (text: string) => log.warn('definition not fully supported', { text });
    const allocations = new ServiceAllocations();
    store.onChange((change) => allocations.follow(change));
    const registry = new Registry(builtinKinds({ ranges, allocations }, warn));
    const webhooks = new WebhookClient(clock, options.webhookServices ?? {});
    this.#core = { store, registry, webhooks, clock, random, log };
    this.faults = new Faults(clock, random, store);
    this.#face = new HttpFace(this.#core, this.faults, options.onRequest);
    store.onChange((change) => this.#define(change));
    collectGarbage(this.#core);
    for (const name of initialNamespaces) this.#create('', 'namespaces', { metadata: { name } });
    for (const crd of options.crds) this.#create('apiextensions.k8s.io', 'customresourcedefinitions', crd as Json);
  }

  /**
   * Serves on one more target and returns where, once it is ready. After `close` it may be called again: the objects
   * are still there, so this is how a test restarts the server. Rejects when the target cannot be bound.
   */
  async listen(
    target: ListenTarget,
  ): Promise<{ readonly port: number; readonly host: string } | { readonly path: string }> {
    const server = this.#face.server();
    const listener = 'on' in target ? target : server;
    if ('on' in target) target.on('connection', (socket) => server.emit('connection', socket));
    else await bound(server, target);
    this.#listeners.add(listener);
    listener.on('connection', (socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    return whereIs(listener.address());
  }

  /** Ends all watches, closes all connections and stops listening everywhere. Idempotent. */
  async close(): Promise<void> {
    this.#face.endWatches();
    this.#core.webhooks.close();
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    const closed = listeners.map((listener) => new Promise((resolve) => listener.close(resolve)));
    for (const socket of this.#connections) socket.destroy();
    await Promise.all(closed);
  }

  /** Definitions make kinds; without its definition a kind and its objects are gone. */
  #define({ resource, type, object }: Change): void {
    if (resource !== definitionsResource) return;
    const defined = object.metadata.name ?? '';
    const { registry, store } = this.#core;
    if (type === 'DELETED') for (const { metadata } of store.list(defined)) store.remove(defined, keyOf(metadata));
    registry.replace(defined, type === 'DELETED' ? [] : customKinds(object));
  }

  #create(group: string, plural: string, body: Json): void {
    const kind = this.#core.registry.find(group, 'v1', plural);
    if (kind === undefined) throw new TypeError(`no built-in kind ${plural}`);
    const warn = (text: string) => this.#core.log.warn('initial object', { text });
    const options = { manager: 'garpoon-lab', subresource: '', dryRun: false, validation: 'Warn', warn } as const;
    createInitial(this.#core, kind, body, options);
  }
}

function whereIs(address: AddressInfo | string | null): { port: number; host: string } | { path: string } {
  if (address === null) throw new TypeError('the server does not listen');
  return typeof address === 'string' ? { path: address } : { port: address.port, host: address.address };
}

function bound(server: Server, target: { port: number; host: string } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(target, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
