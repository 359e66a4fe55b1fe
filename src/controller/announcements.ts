import type { BGPSessionStatusContent } from '../api/bgp-session-status.ts';
import { configurationStateLabels } from '../api/configuration-state.ts';
import type { AnsweredAddress } from '../api/service-l2-status.ts';
import { serviceStatusLabels } from '../api/service-status.ts';
import { type Address, formatAddress } from '../ip/address.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import {
  type BGPSessionStatusObject,
  bgpSessionStatuses,
  type ConfigurationStateObject,
  configurationStates,
  type ServiceBGPStatusObject,
  type ServiceL2StatusObject,
  serviceBGPStatuses,
  serviceL2Statuses,
} from '../kubernetes/config-kinds.ts';
import type { KubernetesObject, Node } from '../kubernetes/core.ts';
import { nodes, type ObjectKey, type Resource } from '../kubernetes/resource.ts';
import { trimMetadata } from '../kubernetes/trim-metadata.ts';
import { WatchedKind } from '../kubernetes/watched-kind.ts';
import { type Clock, parseTimestamp } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { type Claim, SampledClaims } from './sampled-claims.ts';
import type { Standing } from './target-choice.ts';

const outOfService = 'node.kubernetes.io/out-of-service';

export type AnnouncementsOptions = {
  readonly client: ApiClient;
  /** Where the speakers write. */
  readonly namespace: string;
  /** Called with the Service of which something else is told than before; undefined: it may be any. */
  readonly onChange: (service: ObjectKey | undefined) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/**
 * Who announces the addresses of Services, and whether that was verified, as the speakers' statuses say. On the LAN an
 * address is announced by the node that had it last; another speaker verified that, or there is none that could. With
 * BGP, it is announced by a node that has an established session with one of the peers that it means to tell.
 */
export class Announcements {
  /** Resolves when all that there is has been read. Rejects when stopped before. */
  readonly ready: Promise<void>;
  readonly #onChange: AnnouncementsOptions['onChange'];
  readonly #layer2: WatchedKind<ServiceL2StatusObject>;
  readonly #bgp: WatchedKind<ServiceBGPStatusObject>;
  readonly #sessions: WatchedKind<BGPSessionStatusObject>;
  readonly #speakers: WatchedKind<ConfigurationStateObject>;
  readonly #nodes: WatchedKind<Node>;
  readonly #layer2Of = new Map<ObjectKey, Map<ObjectKey, ServiceL2StatusObject>>();
  readonly #bgpOf = new Map<ObjectKey, Map<ObjectKey, ServiceBGPStatusObject>>();
  readonly #claims = new SampledClaims();
  /** Node and peer → the families of an established session; undefined: to be made anew. */
  #established: ReadonlyMap<string, readonly string[] | undefined> | undefined;
  /** Undefined: to be counted anew. */
  #isAlone: boolean | undefined;

  constructor(options: AnnouncementsOptions) {
    this.#onChange = options.onChange;
    const kind = <T extends KubernetesObject>(resource: Resource<T>, trim: (object: T) => T) =>
      new WatchedKind({ ...options, resource, optional: true, trim });
    this.#layer2 = kind(serviceL2Statuses, trimmed);
    this.#bgp = kind(serviceBGPStatuses, trimmed);
    this.#sessions = kind(bgpSessionStatuses, trimSession);
    this.#speakers = kind(configurationStates, ({ metadata }) => ({ metadata: trimMetadata(metadata) }));
    this.#nodes = new WatchedKind({
      ...options,
      namespace: undefined,
      resource: nodes,
      optional: false,
      trim: trimNode,
    });
    const kinds = this.#kinds();
    this.ready = Promise.all(kinds.map((one) => one.ready)).then(() => {});
    // Nobody has to wait for it, and a rejection that nobody waits for would end the process.
    this.ready.catch(() => {});
    this.#listen();
  }

  get isReady(): boolean {
    return this.#kinds().every((kind) => kind.isReady);
  }

  start(): void {
    for (const kind of this.#kinds()) kind.start();
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await Promise.all(this.#kinds().map((kind) => kind.stop()));
  }

  standingOf(service: ObjectKey, address: Address): Standing {
    const standings = [this.#layer2Standing(service, formatAddress(address)), this.#bgpStanding(service, address)];
    return (['verified', 'unverified'] as const).find((one) => standings.includes(one)) ?? 'silent';
  }

  #kinds() {
    return [this.#layer2, this.#bgp, this.#sessions, this.#speakers, this.#nodes] as const;
  }

  #listen(): void {
    this.#layer2.onChange((key, now, before) => {
      for (const claim of claimsOf(before)) this.#claims.remove(claim);
      for (const claim of claimsOf(now)) this.#claims.add(claim);
      this.#file(this.#layer2Of, key, now, before);
    });
    this.#bgp.onChange((key, now, before) => this.#file(this.#bgpOf, key, now, before));
    this.#sessions.onChange((_key, now, before) => {
      if (sessionText(now) === sessionText(before)) return;
      this.#established = undefined;
      this.#onChange(undefined);
    });
    this.#speakers.onChange((_key, now, before) => {
      if (speakerOf(now) === speakerOf(before)) return;
      this.#isAlone = undefined;
      this.#onChange(undefined);
    });
    this.#nodes.onChange((_key, now, before) => {
      if (isThere(now) === isThere(before)) return;
      this.#isAlone = undefined;
      this.#onChange(undefined);
    });
  }

  #file<T extends ServiceL2StatusObject | ServiceBGPStatusObject>(
    filed: Map<ObjectKey, Map<ObjectKey, T>>,
    key: ObjectKey,
    now: T | undefined,
    before: T | undefined,
  ): void {
    const [service, former] = [serviceOf(now), serviceOf(before)];
    if (former !== undefined) {
      const objects = filed.get(former);
      objects?.delete(key);
      if (objects?.size === 0) filed.delete(former);
    }
    if (service !== undefined && now !== undefined) {
      const objects = filed.get(service) ?? new Map<ObjectKey, T>();
      filed.set(service, objects.set(key, now));
    }
    for (const one of new Set([service, former])) if (one !== undefined) this.#onChange(one);
  }

  #layer2Standing(service: ObjectKey, address: string): Standing {
    const answers = [...(this.#layer2Of.get(service)?.values() ?? [])].flatMap((object) => {
      const node = nodeOf(object);
      if (node === undefined || !this.#isThere(node)) return [];
      const answered = object.status?.addresses?.find((one) => one.address === address);
      return answered === undefined ? [] : [{ node, answered, since: sinceOf(answered) }];
    });
    // What a node that is lost has said stays until its Pod is deleted: who took over said so after it.
    const last = Math.max(...answers.map(({ since }) => since));
    const latest = answers.filter(({ since }) => since === last);
    if (latest.some(({ node, answered, since }) => this.#isVerified(node, answered, since))) return 'verified';
    return latest.length > 0 ? 'unverified' : 'silent';
  }

  #isVerified(node: string, { verified, conflict }: AnsweredAddress, since: number): boolean {
    if (conflict !== undefined) return false;
    return verified !== undefined || this.#nobodyCanVerify() || this.#claims.vouchFor(node, since);
  }

  #nobodyCanVerify(): boolean {
    this.#isAlone ??= this.#speakers.store.list().filter((one) => this.#isThere(speakerOf(one) ?? '')).length === 1;
    return this.#isAlone;
  }

  #bgpStanding(service: ObjectKey, address: Address): Standing {
    const family = `ipv${address.family}`;
    let standing: Standing = 'silent';
    for (const object of this.#bgpOf.get(service)?.values() ?? []) {
      const node = nodeOf(object);
      if (node === undefined || !this.#isThere(node)) continue;
      for (const peer of object.status?.peers ?? []) {
        standing = 'unverified';
        const session = pairText(node, peer);
        const families = this.#sessionsNow().get(session);
        if (this.#sessionsNow().has(session) && families?.includes(family) !== false) return 'verified';
      }
    }
    return standing;
  }

  #sessionsNow(): ReadonlyMap<string, readonly string[] | undefined> {
    this.#established ??= new Map(
      this.#sessions.store.list().flatMap(({ status: { node, peer, state, families } = {} }) => {
        const isUp = node !== undefined && peer !== undefined && state === 'Established';
        return isUp ? [[pairText(node, peer), families] as const] : [];
      }),
    );
    return this.#established;
  }

  #isThere(node: string): boolean {
    return isThere(this.#nodes.store.get(node));
  }
}

/** A node that was deleted, was declared dead, or has not reported for long, announces nothing that is to be relied upon. */
function isThere(node: Node | undefined): boolean {
  if (node === undefined) return false;
  const isOut = node.spec?.taints?.some(({ key }) => key === outOfService) ?? false;
  const isLost = node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'Unknown') ?? false;
  return !isOut && !isLost;
}

function claimsOf(object: ServiceL2StatusObject | undefined): readonly Claim[] {
  const node = nodeOf(object);
  if (node === undefined) return [];
  return (object?.status?.addresses ?? []).map((answered) => {
    return { node, since: sinceOf(answered), isVerified: answered.verified !== undefined };
  });
}

function sinceOf({ since }: AnsweredAddress): number {
  return parseTimestamp(since) ?? 0;
}

/** Only what is given in full: the value of a label may be too short for it. */
function serviceOf(object: ServiceL2StatusObject | ServiceBGPStatusObject | undefined): ObjectKey | undefined {
  const { serviceName, serviceNamespace } = object?.status ?? {};
  return serviceName === undefined || serviceNamespace === undefined ? undefined : `${serviceNamespace}/${serviceName}`;
}

function nodeOf(object: ServiceL2StatusObject | ServiceBGPStatusObject | undefined): string | undefined {
  return object?.status?.node ?? object?.metadata.labels?.[serviceStatusLabels.node];
}

/** The node of the speaker that writes it; undefined: it is not a speaker's. */
function speakerOf(object: ConfigurationStateObject | undefined): string | undefined {
  const { name = '', labels } = object?.metadata ?? {};
  if (labels?.[configurationStateLabels.componentType] !== 'speaker') return undefined;
  return labels[configurationStateLabels.nodeName] ?? name.replace(/^speaker-/, '');
}

function pairText(node: string, peer: string): string {
  return `${node}\n${peer}`;
}

function sessionText(object: BGPSessionStatusObject | undefined): string {
  const { node, peer, state, families } = object?.status ?? {};
  return JSON.stringify(state === 'Established' ? [node, peer, families] : []);
}

function trimmed<T extends KubernetesObject>(object: T): T {
  return { ...object, metadata: trimMetadata(object.metadata) };
}

function trimSession(object: BGPSessionStatusObject): BGPSessionStatusObject {
  const { node, peer, state, families } = object.status ?? {};
  const kept = { node, peer, state, families };
  return { metadata: trimMetadata(object.metadata), status: kept as BGPSessionStatusContent };
}

function trimNode({ metadata, spec, status }: Node): Node {
  const taints = spec?.taints?.filter(({ key }) => key === outOfService) ?? [];
  const conditions = status?.conditions?.filter(({ type }) => type === 'Ready') ?? [];
  return { metadata: trimMetadata({ ...metadata, labels: {} }), spec: { taints }, status: { conditions } };
}
