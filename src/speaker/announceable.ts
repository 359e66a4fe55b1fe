import { foundAnnotation, serviceAnnotations } from '../api/service-annotations.ts';
import type { Config, Pool } from '../config/config.ts';
import type { WithdrawReason } from '../election/withdraw-reason.ts';
import { type Address, parseAddress } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';
import { hasSeveral } from './has-several.ts';

/** What a Service has that can be announced, whoever does. */
export type Announceable = {
  /** In the order of the status, because with `metallb` the first one decides the election on every node. */
  readonly addresses: readonly [Address, ...Address[]];
  /** Where these are from, each once, in their order. */
  readonly pools: readonly [Pool, ...Pool[]];
};

/** The addresses of a Service that speakers announce, or why there are none. */
export function announceable(
  service: Service | undefined,
  config: Config,
  servedClass: string,
): Announceable | { readonly withdraw: WithdrawReason } {
  if (service === undefined) return { withdraw: 'serviceDeleted' };
  const { type, loadBalancerClass = '' } = service.spec ?? {};
  if (type !== 'LoadBalancer' || !config.serves(loadBalancerClass, servedClass)) return { withdraw: 'notLoadBalancer' };
  const addresses = announcedAddresses(service);
  if (addresses === 'invalid') return { withdraw: 'invalidIP' };
  const [first, ...more] = addresses;
  if (first === undefined) return { withdraw: 'noIPAllocated' };
  const asksForPools = service.metadata.annotations?.[serviceAnnotations.addressPools] !== undefined;
  const maySpread = asksForPools || hasSeveral(addresses);
  const [pool, ...others] = config.poolsOf(addresses) ?? [];
  if (pool === undefined || (others.length > 0 && !maySpread)) return { withdraw: 'ipNotAllowed' };
  return { addresses: [first, ...more], pools: [pool, ...others] };
}

/** What the status of a Service gives as its addresses; texts of any kind. */
export function statusAddresses(service: Service | undefined): readonly string[] {
  return (service?.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
}

/** Whether the Service has the annotation to share its address, with whatever value. */
export function sharesAddress(service: Service): boolean {
  return foundAnnotation(service.metadata.annotations ?? {}, 'sharingKey') !== undefined;
}

function announcedAddresses(service: Service): readonly Address[] | 'invalid' {
  const addresses = statusAddresses(service).map(parseAddress);
  return addresses.every((address) => address !== undefined) ? addresses : 'invalid';
}
