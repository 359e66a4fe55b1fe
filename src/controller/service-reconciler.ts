import type { Allocator, Assignment, Decision } from '../allocator/allocator.ts';
import { type Refusal, refusal, type Wish } from '../allocator/wish.ts';
import { compareTexts } from '../api/label-selector.ts';
import { deprecatedAnnotations, serviceAnnotations } from '../api/service-annotations.ts';
import type { Config } from '../config/config.ts';
import { type Address, formatAddress, sameAddress } from '../ip/address.ts';
import { isConflict, isNotFound } from '../kubernetes/api-error.ts';
import { mergePatch } from '../kubernetes/apply.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import type { Namespace, Service } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import { keyOf, type ObjectKey, services } from '../kubernetes/resource.ts';
import type { Store } from '../kubernetes/store.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import {
  assignedType,
  changedConditions,
  type Findings,
  findingOf,
  findingOfGone,
  findingOfProblem,
  goneText,
  hasCondition,
} from './assigned-condition.ts';
import { boundClass, type ClassBinding, isServed, statusAddresses } from './class-binding.ts';
import { classFindings, noClassConditions } from './class-conditions.ts';
import type { Sinces } from './earlier-run.ts';
import { type Problem, type ReadWish, readWish } from './wish.ts';

export type ServiceReconcilerOptions = {
  readonly client: ApiClient;
  readonly services: Store<Service>;
  readonly namespaces: Store<Namespace>;
  readonly allocator: Allocator;
  readonly events: Pick<EventRecorder, 'record'>;
  /** Empty: Services without a class. Otherwise: those with this class, and no others. */
  readonly loadBalancerClass: string;
  /** What is in force. A Service that names one of its load balancer classes is ours, too. */
  readonly config: () => Config;
  /** Called with the Services to look at again, because there is an address, or a place on one, for them now. */
  readonly onRoom: (waiting: readonly ObjectKey[]) => void;
  /** Called when the counters or the assignments of the pool have changed. */
  readonly onPoolUse: (pool: string) => void;
  /** Called with the time (milliseconds since 1970) at which `lookForRoom` is to be called, if at all. */
  readonly onNextRelease: (at: number | undefined) => void;
  /** Aborts the write under way. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
};

/** What the status should say: these addresses or none, and why; or whatever it says, because it is not ours. */
type Verdict = { readonly assignment: Assignment | undefined; readonly findings: Findings } | 'untouched';

const nothing: Verdict = { assignment: undefined, findings: { [assignedType]: undefined, ...noClassConditions } };

/**
 * Makes a Service's status say what the allocator decided. The input is the Service as it is; what happened before does
 * not matter, so it can run at any time and twice.
 */
export class ServiceReconciler {
  readonly #options: ServiceReconcilerOptions;
  /** The Services that had addresses when they were last looked at. */
  readonly #served = new Set<ObjectKey>();
  /** Services that do not have what they ask for → why, as it was last told. */
  readonly #unmet = new Map<ObjectKey, string>();
  /** Services that keep what they have of a class that is gone. */
  readonly #orphans = new Set<ObjectKey>();

  constructor(options: ServiceReconcilerOptions) {
    this.#options = options;
  }

  /**
   * Before the first reconcile: every Service keeps what its status says it has, the oldest first, so that a restart
   * hands nobody's address to somebody else.
   */
  adoptAll(sinces: Sinces): void {
    const byAge = [...this.#options.services.list()].sort((a, b) => compareTexts(ageText(a), ageText(b)));
    for (const service of byAge) {
      const read = this.#serves(service) ? this.#readWish(service) : undefined;
      if (read !== undefined && 'wish' in read)
        this.#adopt(keyOf(service), read.wish, statusAddresses(service), sinces);
    }
  }

  /**
   * When other pools are in force, before anybody is given addresses of them: whoever keeps some of a class that is gone,
   * or was gone until now, comes first.
   */
  adoptOrphans(): void {
    const { services, config } = this.#options;
    const names = new Set(config().classes.map(({ name }) => name));
    for (const service of services.list()) {
      const key = keyOf(service);
      const bound = boundClass(service);
      const isConcerned = this.#orphans.has(key) || (bound !== undefined && !names.has(bound));
      const read = isConcerned && this.#serves(service) ? this.#readWish(service) : undefined;
      if (read === undefined || 'problem' in read) continue;
      if (this.#options.allocator.assignment(key) === undefined) this.#adopt(key, read.wish, statusAddresses(service));
    }
  }

  async reconcile(key: ObjectKey): Promise<void> {
    const service = this.#options.services.get(key);
    const verdict = this.#decide(key, service);
    this.lookForRoom();
    if (service !== undefined && verdict !== 'untouched') await this.#write(key, service, verdict);
  }

  /** Tells of pools that are used otherwise than before, and of Services that need not wait any longer. */
  lookForRoom(): void {
    const { allocator, onPoolUse, onRoom, onNextRelease } = this.#options;
    const called = allocator.takeCalled(this.#now());
    for (const pool of allocator.takeChanged()) onPoolUse(pool);
    if (called.length > 0) onRoom(called);
    onNextRelease(allocator.nextRelease());
  }

  #decide(key: ObjectKey, service: Service | undefined): Verdict {
    if (service !== undefined && this.#serves(service)) return this.#converge(key, service);
    this.#release(key);
    this.#unmet.delete(key);
    this.#orphans.delete(key);
    // A Service of another class is another controller's, annotation and all. One that is no LoadBalancer any more has
    // lost its class with its type, so what stands on it is taken back here.
    return service !== undefined && service.spec?.type !== 'LoadBalancer' && isMarked(service) ? nothing : 'untouched';
  }

  #converge(key: ObjectKey, service: Service): Verdict {
    // Namespaces have a watch of their own, which may tell of this one later, and then has the Service looked at again.
    if (this.#namespaceOf(service) === undefined) return 'untouched';
    const read = this.#readWish(service);
    if ('problem' in read) {
      this.#release(key);
      // Cluster addresses are given by the API server in its own time; that is nothing to complain about.
      if (read.reason === 'no-cluster-ips') {
        this.#unmet.delete(key);
        return nothing;
      }
      this.#complainOfFailure(key, service, read.problem);
      return { assignment: undefined, findings: { [assignedType]: findingOfProblem(read) } };
    }
    const { wish, slip, binding } = read;
    if (binding?.state === 'gone') return this.#keepOrphan(key, service, wish, binding);
    this.#orphans.delete(key);
    const { allocator } = this.#options;
    const unknown = allocator.assignment(key) === undefined ? statusAddresses(service) : [];
    const notAdopted = this.#adopt(key, wish, unknown);
    const decision = slip === undefined ? allocator.assign(key, wish, this.#now()) : this.#keep(key, wish, slip);
    const { outcome, lost = notAdopted } = decision;
    const finding = slip === undefined ? findingOf(decision, wish) : findingOfProblem(slip);
    // Once: until the status is written, it goes on naming addresses that cannot be adopted.
    const isNews = this.#served.has(key) || !this.#unmet.has(key);
    if (lost !== undefined && isNews) this.#tellLost(key, service, lost);
    const verdictOf = (assignment: Assignment | undefined): Verdict => ({
      assignment,
      findings: { [assignedType]: finding, ...classFindings(service, binding, wish, assignment) },
    });
    if ('refused' in outcome) {
      this.#served.delete(key);
      this.#complainOfFailure(key, service, outcome.detail);
      return verdictOf(undefined);
    }
    this.#served.add(key);
    if (slip === undefined) this.#unmet.delete(key);
    else this.#complain(key, service, 'LoadBalancerFailed', slip.problem);
    return verdictOf(outcome);
  }

  /**
   * The class of the Service is gone: it keeps what its status says it has, and is given nothing else. Only what is of
   * some pool must be its own there.
   */
  #keepOrphan(key: ObjectKey, service: Service, wish: Wish, { name }: ClassBinding): Verdict {
    const { allocator, config } = this.#options;
    this.#orphans.add(key);
    const has = statusAddresses(service);
    const held = allocator.assignment(key)?.addresses.map(({ address }) => address);
    const lost = this.#adopt(key, wish, held ?? has);
    const owned = allocator.assignment(key)?.addresses ?? [];
    const kept = has.flatMap((address) => {
      const own = owned.find((one) => sameAddress(one.address, address));
      if (own !== undefined) return own;
      return config().poolOf(address) === undefined ? { address, pool: name } : [];
    });
    if (lost !== undefined && kept.length < has.length) this.#tellLost(key, service, lost);
    this.#complain(key, service, 'LoadBalancerFailed', goneText(name));
    return {
      assignment: kept.length > 0 ? { addresses: kept } : undefined,
      findings: { [assignedType]: findingOfGone(name) },
    };
  }

  /** A slip in an annotation takes nothing away: the Service keeps what it has until it asks for something else. */
  #keep(key: ObjectKey, wish: Wish, slip: Problem): Decision {
    const { allocator } = this.#options;
    const held = allocator.assignment(key);
    const addresses = held?.addresses.map(({ address }) => address) ?? [];
    const kept = held && allocator.adopt(key, wish, addresses, this.#now());
    if (kept && !('refused' in kept.outcome)) return kept;
    // It asks for nothing that could be given, so it does not wait either.
    allocator.release(key, this.#now());
    return { outcome: refusal('not-requested', slip.problem), lost: kept?.lost, missing: undefined };
  }

  /** Takes over what a status says, written by an earlier run or by somebody else; the refusal, if it may not stay. */
  #adopt(key: ObjectKey, wish: Wish, addresses: readonly Address[], sinces?: Sinces): Refusal | undefined {
    if (addresses.length === 0) return undefined;
    const { outcome, lost } = this.#options.allocator.adopt(key, wish, addresses, this.#now(), (address) =>
      sinces?.(key, address),
    );
    if (!('refused' in outcome)) this.#served.add(key);
    return lost;
  }

  #release(key: ObjectKey): void {
    const released = this.#options.allocator.release(key, this.#now());
    this.#served.delete(key);
    if (released === undefined) return;
    this.#options.log.info('released', { service: key, addresses: textsOf(released) });
  }

  #complainOfFailure(key: ObjectKey, service: Service, detail: string): void {
    this.#complain(key, service, 'AllocationFailed', `Failed to allocate IP for "${key}": ${detail}`);
  }

  /** What a Service lacks is told when it begins and when the reason changes, not at every look. */
  #complain(key: ObjectKey, service: Service, reason: string, message: string): void {
    if (this.#unmet.get(key) === message) return;
    this.#unmet.set(key, message);
    this.#options.log.warn('wish not met', { service: key, reason, message });
    this.#options.events.record(service, { type: 'Warning', reason, message });
  }

  #tellLost(key: ObjectKey, service: Service, lost: Refusal): void {
    const message = `current IP for "${key}" not allowed by config, will attempt for new IP assignment: ${lost.detail}`;
    this.#options.log.info('address taken back', { service: key, reason: lost.refused, detail: lost.detail });
    this.#options.events.record(service, { type: 'Normal', reason: 'ClearAssignment', message });
  }

  #tellAssigned(key: ObjectKey, service: Service, assignment: Assignment): void {
    const { events, log } = this.#options;
    const texts = textsOf(assignment);
    log.info('assigned', { service: key, addresses: texts, pool: poolOf(assignment) });
    const message = `Assigned IP ${JSON.stringify(texts)}`;
    events.record(service, { type: 'Normal', reason: 'IPAllocated', message });
    for (const annotation of deprecatedAnnotations(service.metadata.annotations ?? {})) {
      const message = `annotation ${annotation} is deprecated: write metallb.io/ instead of metallb.universe.tf/`;
      events.record(service, { type: 'Warning', reason: 'deprecatedAnnotation', message });
    }
  }

  /**
   * One request carries addresses, annotation and condition, and only to the Service as it was decided upon: when that
   * has changed since, a watch tells, or has told, and it is decided anew.
   */
  async #write(key: ObjectKey, seen: Service, verdict: Exclude<Verdict, 'untouched'>): Promise<void> {
    const { client, signal } = this.#options;
    const patch = patchOf(seen, verdict, this.#now());
    if (patch === undefined) return;
    try {
      await mergePatch(client, services, key, patch, { subresource: 'status', signal });
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return;
      throw error;
    }
    const { assignment } = verdict;
    if (assignment !== undefined && addressText(seen) !== textOf(assignment)) this.#tellAssigned(key, seen, assignment);
  }

  #serves(service: Service): boolean {
    return isServed(service, this.#options.loadBalancerClass, this.#options.config());
  }

  #now(): number {
    return this.#options.clock.wallTime();
  }

  #readWish(service: Service): ReadWish {
    return readWish(service, this.#namespaceOf(service)?.metadata.labels ?? {}, this.#options.config());
  }

  #namespaceOf(service: Service): Namespace | undefined {
    return this.#options.namespaces.get(service.metadata.namespace ?? 'default');
  }
}

/** What has to change for the Service to say so; undefined when it does. */
function patchOf(
  service: Service,
  { assignment, findings }: Exclude<Verdict, 'untouched'>,
  now: number,
): object | undefined {
  const { resourceVersion, annotations = {} } = service.metadata;
  const pool = assignment && poolOf(assignment);
  const hasAddresses = addressText(service) === textOf(assignment);
  const conditions = changedConditions(service.status?.conditions, findings, now);
  const isMarkedSo = annotations[serviceAnnotations.ipAllocatedFromPool] === pool;
  if (hasAddresses && isMarkedSo && conditions === undefined) return undefined;
  const ingress = assignment === undefined ? null : textsOf(assignment).map((ip) => ({ ip }));
  return {
    metadata: {
      resourceVersion,
      ...(isMarkedSo ? {} : { annotations: { [serviceAnnotations.ipAllocatedFromPool]: pool ?? null } }),
    },
    status: {
      ...(hasAddresses ? {} : { loadBalancer: { ingress } }),
      ...(conditions === undefined ? {} : { conditions }),
    },
  };
}

/** Only what we decide is compared: the API server adds fields of its own to an ingress entry. */
function addressText(service: Service): string {
  return (service.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname).join(' ');
}

function textOf(assignment: Assignment | undefined): string {
  return assignment === undefined ? '' : textsOf(assignment).join(' ');
}

function textsOf({ addresses }: Assignment): readonly string[] {
  return addresses.map(({ address }) => formatAddress(address));
}

/** The annotation has room for one: that of the first address. */
function poolOf({ addresses }: Assignment): string {
  return addresses[0]?.pool ?? '';
}

/** Whether something of ours stands on it. */
function isMarked({ metadata, status }: Service): boolean {
  const isOfPool = metadata.annotations?.[serviceAnnotations.ipAllocatedFromPool] !== undefined;
  return isOfPool || hasCondition(status?.conditions);
}

function ageText(service: Service): string {
  return `${service.metadata.creationTimestamp ?? ''} ${keyOf(service)}`;
}
