import type { Wish } from '../allocator/wish.ts';
import { mostAddresses } from '../api/requested-addresses.ts';
import { type Annotations, readAnnotation, serviceAnnotations } from '../api/service-annotations.ts';
import type { ServiceWish } from '../api/service-wish.ts';
import type { Config } from '../config/config.ts';
import { type Address, parseAddress } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';
import { hasCondition } from './assigned-condition.ts';

/** Deckhouse's condition that names the class of a Service. */
export const classConditionType = 'network.deckhouse.io/load-balancer-class';

/** The load balancer class from whose pool a Service is served. */
export type ClassBinding = {
  readonly name: string;
  /** `unknown`: an annotation names what is no class; that may be a pool. `gone`: there was one, and it was bound to it. */
  readonly state: 'there' | 'unknown' | 'gone';
};

/**
 * The class of a Service that this controller serves; undefined for none. What comes later goes before what comes first:
 *
 *   the default class      for Services that name neither a class nor pools, and neither name nor have an address of
 *                          another pool
 *   the annotation         unless the Service names pools
 *   spec.loadBalancerClass
 *   the class in its condition, once the Service has had addresses of it; that one is for good
 *
 * Only when the class that it is bound to is gone may a Service name pools instead.
 */
export function classBinding(
  service: Service,
  wish: Pick<ServiceWish, 'addresses' | 'wanted'>,
  config: ClassSource,
): ClassBinding | undefined {
  const isThere = (name: string) => config.classes.some((one) => one.name === name);
  const annotations = service.metadata.annotations ?? {};
  const bound = boundClass(service);
  if (bound !== undefined && isThere(bound)) return { name: bound, state: 'there' };
  if (bound !== undefined && !namesPools(annotations)) return { name: bound, state: 'gone' };
  const { loadBalancerClass = '' } = service.spec ?? {};
  if (loadBalancerClass !== '' && isThere(loadBalancerClass)) return { name: loadBalancerClass, state: 'there' };
  if (namesPools(annotations)) return undefined;
  const annotated = annotations[serviceAnnotations.deckhouseClass];
  if (annotated) return { name: annotated, state: isThere(annotated) ? 'there' : 'unknown' };
  const byDefault = loadBalancerClass === '' ? config.classes.find(({ isDefault }) => isDefault)?.name : undefined;
  if (byDefault === undefined) return undefined;
  const concerned = [...wish.addresses, ...wish.wanted, ...statusAddresses(service)];
  const isOfAnother = concerned.some((address) => (config.poolOf(address)?.name ?? byDefault) !== byDefault);
  return isOfAnother ? undefined : { name: byDefault, state: 'there' };
}

/** What of a Config it depends on. */
export type ClassSource = Pick<Config, 'classes' | 'poolOf'>;

/** Whether the Service is one that this controller assigns addresses to. */
export function isServed(service: Service, servedClass: string, { classes }: Pick<Config, 'classes'>): boolean {
  const { type, loadBalancerClass = '' } = service.spec ?? {};
  if (type !== 'LoadBalancer') return false;
  if (loadBalancerClass === servedClass || classes.some(({ name }) => name === loadBalancerClass)) return true;
  // Of a class that is gone and that we have served; that of another controller has no condition of ours.
  return loadBalancerClass === boundClass(service) && hasCondition(service.status?.conditions);
}

/** The class that a Service has been bound to. */
export function boundClass({ status }: Service): string | undefined {
  const condition = status?.conditions?.find(({ type }) => type === classConditionType);
  return (condition?.status === 'True' && condition.message) || undefined;
}

/**
 * The wish of a Service of this class: its addresses are of the class' pool, whatever pools it names. When the class is
 * gone, its pool is gone as well; what the Service has may be anywhere, and it asks for nothing but to keep that.
 */
export function wishOfClass(
  wish: ServiceWish,
  binding: ClassBinding | undefined,
): ServiceWish & Pick<Wish, 'isOfGoneClass'> {
  if (binding === undefined) return wish;
  if (binding.state !== 'gone') return { ...wish, pool: binding.name, pools: [] };
  return { ...wish, pool: undefined, pools: [], addresses: [], wanted: [], count: mostAddresses, isOfGoneClass: true };
}

/** The addresses that stand in the status of the Service. */
export function statusAddresses({ status }: Service): readonly Address[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip === undefined ? [] : (parseAddress(ip) ?? [])));
}

function namesPools(annotations: Annotations): boolean {
  return Boolean(
    readAnnotation(annotations, serviceAnnotations.addressPool) || annotations[serviceAnnotations.addressPools],
  );
}
