import { type DNSEndpointSpec, dnsEndpointText } from '../api/dns-endpoint.ts';
import { isAlreadyExists, isNotFound } from '../kubernetes/api-error.ts';
import { mergePatch } from '../kubernetes/apply.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import type { OwnerReference, Service } from '../kubernetes/core.ts';
import { type DNSEndpointObject, dnsEndpoints } from '../kubernetes/dns-kinds.ts';
import { keyOf, type ObjectKey, splitKey } from '../kubernetes/resource.ts';
import { WatchedKind } from '../kubernetes/watched-kind.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';

/** By which ours are told from others. */
const managedBy = { 'app.kubernetes.io/managed-by': 'garpoon' } as const;

const remedy = 'install the definition dnsendpoints.externaldns.k8s.io, or ask for the annotation of external-dns';

export type DnsEndpointsOptions = {
  readonly client: ApiClient;
  /** Called with the Service whose DNSEndpoint is another than before; undefined: it may be any. */
  readonly onChange: (service: ObjectKey | undefined) => void;
  /** Aborts the write under way. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/** Absent: the cluster does not have the kind. Foreign: there is one of that name, which is somebody else's. */
export type DnsEndpointOutcome = 'written' | 'absent' | 'foreign';

/** The DNSEndpoints that are ours: at most one for each Service, of its name, in its namespace, and gone with it. */
export class DnsEndpoints {
  readonly #options: DnsEndpointsOptions;
  readonly #kind: WatchedKind<DNSEndpointObject>;

  constructor(options: DnsEndpointsOptions) {
    const labelSelector = Object.entries(managedBy).map(([key, value]) => `${key}=${value}`);
    this.#options = options;
    this.#kind = new WatchedKind({
      ...options,
      namespace: undefined,
      resource: dnsEndpoints,
      labelSelector: labelSelector.join(','),
      optional: true,
      remedy,
    });
    this.#kind.onChange((key) => options.onChange(key));
    // Once it is known that there is no such kind, and once there is after all.
    for (const moment of [this.#kind.ready, this.#kind.synced]) {
      moment.then(
        () => options.onChange(undefined),
        () => {}, // Stopped.
      );
    }
  }

  /** Whether it is known what there is. */
  get isReady(): boolean {
    return this.#kind.isReady;
  }

  start(): void {
    this.#kind.start();
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#kind.stop();
  }

  /** Makes the one of the Service say this. To be called when it is known what there is. */
  async put(service: Service, spec: DNSEndpointSpec): Promise<DnsEndpointOutcome> {
    const { client, signal } = this.#options;
    const key = keyOf(service);
    if (!this.#kind.store.hasSynced) return 'absent';
    const seen = this.#kind.store.get(key);
    if (seen !== undefined) {
      await this.#change(seen, service, spec);
      return 'written';
    }
    const { namespace = 'default', name } = splitKey(key);
    const metadata = { namespace, name, labels: managedBy, ownerReferences: [ownerOf(service)] };
    try {
      await client.create(dnsEndpoints, { metadata, spec }, { signal });
      return 'written';
    } catch (error) {
      if (isNotFound(error)) return 'absent';
      if (!isAlreadyExists(error)) throw error;
    }
    // It may be ours, and not be seen yet.
    const current = await client.get(dnsEndpoints, key, { signal });
    if (current === undefined || !isOurs(current)) return 'foreign';
    await this.#change(current, service, spec);
    return 'written';
  }

  /** Nothing when there is none of ours. To be called when it is known what there is. */
  async remove(service: ObjectKey): Promise<void> {
    const { client, signal } = this.#options;
    if (!this.#kind.store.hasSynced) return;
    // What was written a moment ago may not be seen yet.
    const current = this.#kind.store.get(service) ?? (await client.get(dnsEndpoints, service, { signal }));
    if (current === undefined || !isOurs(current)) return;
    const { uid } = current.metadata;
    await client.delete(dnsEndpoints, service, { preconditions: uid === undefined ? {} : { uid }, signal });
  }

  async #change(seen: DNSEndpointObject, service: Service, spec: DNSEndpointSpec): Promise<void> {
    const { client, signal } = this.#options;
    const [owner, ...others] = seen.metadata.ownerReferences ?? [];
    const isOwned = owner?.uid === service.metadata.uid && others.length === 0;
    if (isOwned && dnsEndpointText(seen.spec) === dnsEndpointText(spec)) return;
    const metadata = { ownerReferences: [ownerOf(service)] };
    try {
      await mergePatch(client, dnsEndpoints, keyOf(seen), { metadata, spec }, { signal });
    } catch (error) {
      // Gone in the meantime, as the watch will tell.
      if (!isNotFound(error)) throw error;
    }
  }
}

function isOurs({ metadata }: DNSEndpointObject): boolean {
  return Object.entries(managedBy).every(([key, value]) => metadata.labels?.[key] === value);
}

function ownerOf({ metadata }: Service): OwnerReference {
  return { apiVersion: 'v1', kind: 'Service', name: metadata.name, uid: metadata.uid ?? '', controller: true };
}
