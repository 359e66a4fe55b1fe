import {
  concernsDns,
  type DnsWish,
  dnsAnnotations,
  formatTargets,
  formatWritten,
  readDnsWish,
  readWritten,
  type WrittenTargets,
} from '../api/dns-annotations.ts';
import { dnsEndpointSpec } from '../api/dns-endpoint.ts';
import { formatProblem } from '../api/field.ts';
import { type Address, parseAddress, sameAddress } from '../ip/address.ts';
import { isConflict, isNotFound } from '../kubernetes/api-error.ts';
import { mergePatch } from '../kubernetes/apply.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import type { Service } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import { keyOf, type ObjectKey, services } from '../kubernetes/resource.ts';
import type { Store } from '../kubernetes/store.ts';
import { WorkQueue } from '../kubernetes/workqueue.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { Announcements } from './announcements.ts';
import { DnsEndpoints } from './dns-endpoints.ts';
import { DnsNotices, starvationOf } from './dns-notices.ts';
import { type Choice, TargetChoice } from './target-choice.ts';

/** All in milliseconds. */
export type DnsTiming = {
  /** For how long changes are gathered. */
  readonly gather: number;
  /** Between two looks at one Service that lead to a write. */
  readonly pause: number;
  /** For how long an address that is not verified any more stays a target. A failover takes a second. */
  readonly grace: number;
  /** Between two looks at whether somebody else's DNSEndpoint is still in the way. */
  readonly retry: number;
};

const defaultTiming: DnsTiming = { gather: 2_000, pause: 5_000, grace: 30_000, retry: 60_000 };

export type DnsTargetsOptions = {
  readonly client: ApiClient;
  /** Where the speakers write. */
  readonly namespace: string;
  readonly services: Store<Service>;
  /** Whether the Service is ours. */
  readonly serves: (service: Service) => boolean;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly timing?: Partial<DnsTiming> | undefined;
  /** Aborts the write under way. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/**
 * Keeps the DNS targets of the Services that ask for it: the addresses that are announced and verified. What the
 * speakers tell is watched only as long as a Service asks.
 */
export class DnsTargets {
  readonly #options: DnsTargetsOptions;
  readonly #timing: DnsTiming;
  readonly #choice: TargetChoice;
  readonly #queue: WorkQueue;
  /** The Services that ask, or have something of ours. */
  readonly #concerned = new Set<ObjectKey>();
  /** By `clock.now()`. */
  readonly #writtenAt = new Map<ObjectKey, number>();
  readonly #notices: DnsNotices;
  readonly #closing = new Set<Promise<void>>();
  #announcements: Announcements | undefined;
  #endpoints: DnsEndpoints | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: DnsTargetsOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#choice = new TargetChoice(this.#timing.grace);
    this.#notices = new DnsNotices(options);
    this.#queue = new WorkQueue({
      ...options,
      name: 'dns targets',
      reconcile: (key) => this.#reconcile(key),
      backoff: { base: 100, max: 60_000 },
    });
  }

  /** To be called when the Services have been read and adopted. */
  start(): void {
    const { services } = this.#options;
    this.#unsubscribe ??= services.onChange((key, now) => this.#see(key, now));
    for (const service of services.list()) this.#see(keyOf(service), service);
  }

  /** To be called when other Services may be ours than before. Returns at once. */
  lookAtAll(): void {
    for (const key of this.#concerned) this.#look(key);
  }

  /** What has been written stays. Idempotent. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    await this.#queue.stop();
    this.#close();
    await Promise.all(this.#closing);
  }

  #see(key: ObjectKey, service: Service | undefined): void {
    if (service !== undefined && concernsDns(service.metadata.annotations)) {
      this.#concerned.add(key);
      this.#open();
      this.#look(key);
    } else if (this.#concerned.delete(key)) {
      this.#choice.forget(key);
      this.#writtenAt.delete(key);
      this.#notices.forget(key);
      if (this.#concerned.size === 0) this.#close();
    }
  }

  #look(key: ObjectKey): void {
    const { gather, pause } = this.#timing;
    const earliest = (this.#writtenAt.get(key) ?? -pause) + pause - this.#options.clock.now();
    this.#queue.addAfter(key, Math.max(gather, earliest));
  }

  #lookAt(key: ObjectKey | undefined): void {
    if (key === undefined) this.lookAtAll();
    else if (this.#concerned.has(key)) this.#look(key);
  }

  #open(): void {
    if (this.#announcements !== undefined) return;
    const opened = new Announcements({ ...this.#options, onChange: (service) => this.#lookAt(service) });
    this.#announcements = opened;
    opened.ready.then(
      () => this.lookAtAll(),
      () => {}, // Stopped.
    );
    opened.start();
  }

  #close(): void {
    for (const open of [this.#announcements, this.#endpoints]) {
      if (open === undefined) continue;
      const closing = open.stop().finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
    this.#announcements = undefined;
    this.#endpoints = undefined;
  }

  /** Undefined when it is not known yet what there is: then the Service is looked at again when it is. */
  #readyEndpoints(): DnsEndpoints | undefined {
    if (this.#endpoints === undefined) {
      this.#endpoints = new DnsEndpoints({ ...this.#options, onChange: (service) => this.#lookAt(service) });
      this.#endpoints.start();
    }
    return this.#endpoints.isReady ? this.#endpoints : undefined;
  }

  async #reconcile(key: ObjectKey): Promise<void> {
    const service = this.#options.services.get(key);
    if (service === undefined || !this.#concerned.has(key)) return;
    const isOurs = service.spec?.type === 'LoadBalancer' && this.#options.serves(service);
    const wish = isOurs ? readDnsWish(service) : undefined;
    const written = readWritten(service.metadata.annotations);
    if (wish === undefined) return this.#withdraw(key, service, written);
    // A slip in an annotation takes nothing away.
    const problem = 'problems' in wish ? wish.problems.map(formatProblem).join('; ') : undefined;
    this.#notices.complain(service, 'DNSTargetsInvalid', problem);
    if ('problems' in wish || !this.#announcements?.isReady) return;
    const choice = this.#choose(key, service, written?.addresses ?? [], this.#announcements);
    if (choice.again !== undefined) this.#queue.addAfter(key, choice.again);
    const starvation = choice.isStarved ? starvationOf(addressesOf(service), choice.targets) : undefined;
    this.#notices.complain(service, 'DNSTargetsNotVerified', starvation);
    if (choice.targets.length === 0) await this.#withdraw(key, service, written);
    else await this.#write(key, service, wish, written, choice.targets);
  }

  #choose(key: ObjectKey, service: Service, current: readonly Address[], announcements: Announcements): Choice {
    return this.#choice.choose(key, {
      assigned: addressesOf(service),
      current,
      standingOf: (address) => announcements.standingOf(key, address),
      isElsewhere: (address) => this.#isElsewhere(key, address),
      now: this.#options.clock.now(),
    });
  }

  /** The Service remembers first, so that nothing is left behind whenever we are killed. */
  async #write(
    key: ObjectKey,
    service: Service,
    wish: DnsWish,
    written: WrittenTargets | undefined,
    addresses: readonly Address[],
  ): Promise<void> {
    const { place } = wish;
    if (written?.place === 'endpoint' && place !== 'endpoint' && !(await this.#removeEndpoint(key))) return;
    const target = place === 'annotation' ? formatTargets(addresses) : this.#targetWithout(service, written);
    const isNoted = await this.#annotate(key, service, {
      [dnsAnnotations.target]: target,
      [dnsAnnotations.written]: formatWritten({ place, addresses }),
    });
    if (isNoted && place === 'endpoint') await this.#putEndpoint(key, service, wish, addresses);
  }

  async #putEndpoint(
    key: ObjectKey,
    service: Service,
    wish: Extract<DnsWish, { place: 'endpoint' }>,
    addresses: readonly Address[],
  ): Promise<void> {
    const outcome = await this.#readyEndpoints()?.put(service, dnsEndpointSpec(wish, addresses));
    if (outcome === undefined) return;
    const instead = `or set ${dnsAnnotations.asked}: annotation`;
    const absent = `the cluster does not serve DNSEndpoint: install its definition, dnsendpoints.externaldns.k8s.io, and let the controller use it, ${instead}`;
    const taken = `DNSEndpoint ${key} is there and is not of this controller's making: delete or rename it, ${instead}`;
    this.#notices.complain(service, 'DNSEndpointNotServed', outcome === 'absent' ? absent : undefined);
    this.#notices.complain(service, 'DNSEndpointTaken', outcome === 'foreign' ? taken : undefined);
    if (outcome !== 'written') this.#queue.addAfter(key, this.#timing.retry);
  }

  /** Takes away what is ours, and nothing else. */
  async #withdraw(key: ObjectKey, service: Service, written: WrittenTargets | undefined): Promise<void> {
    if (service.metadata.annotations?.[dnsAnnotations.written] === undefined) return;
    if (written?.place === 'endpoint' && !(await this.#removeEndpoint(key))) return;
    await this.#annotate(key, service, {
      [dnsAnnotations.target]: this.#targetWithout(service, written),
      [dnsAnnotations.written]: undefined,
    });
  }

  /** Whether it is done; otherwise it is tried again once it is known what there is. */
  async #removeEndpoint(key: ObjectKey): Promise<boolean> {
    const endpoints = this.#readyEndpoints();
    await endpoints?.remove(key);
    return endpoints !== undefined;
  }

  /** What the annotation `target` is to be when it is not ours any more: somebody else's value stays. */
  #targetWithout({ metadata }: Service, written: WrittenTargets | undefined): string | undefined {
    const target = metadata.annotations?.[dnsAnnotations.target];
    const isOurs = written?.place === 'annotation' && target === formatTargets(written.addresses);
    return isOurs ? undefined : target;
  }

  /** Whether the Service says so now. Only the Service as it was looked at is written to. */
  async #annotate(
    key: ObjectKey,
    service: Service,
    wanted: Readonly<Record<string, string | undefined>>,
  ): Promise<boolean> {
    const { client, clock, signal } = this.#options;
    const { resourceVersion, annotations = {} } = service.metadata;
    const changes = Object.entries(wanted).filter(([name, value]) => annotations[name] !== value);
    if (changes.length === 0) return true;
    const patch = Object.fromEntries(changes.map(([name, value]) => [name, value ?? null]));
    this.#writtenAt.set(key, clock.now());
    try {
      // With its status: the controller may change nothing else of Services.
      const metadata = { resourceVersion, annotations: patch };
      await mergePatch(client, services, key, { metadata }, { subresource: 'status', signal });
    } catch (error) {
      if (isNotFound(error)) return false;
      if (!isConflict(error)) throw error;
      this.#look(key);
      return false;
    }
    this.#notices.changed(service, wanted[dnsAnnotations.written]);
    return true;
  }

  /** Whether another Service has it: looks at all, which is done only for what has been taken from this one. */
  #isElsewhere(key: ObjectKey, address: Address): boolean {
    const has = (other: Service) => addressesOf(other).some((one) => sameAddress(one, address));
    return this.#options.services.list().some((other) => keyOf(other) !== key && has(other));
  }
}

function addressesOf({ status }: Service): readonly Address[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }) => parseAddress(ip) ?? []);
}
