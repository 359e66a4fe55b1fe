import type { Config } from '../config/config.ts';
import { type Advertisement, advertisementsFor, type Labels } from '../election/advertisement.ts';
import type { AddressWish } from '../election/candidates.ts';
import { type EndpointSliceShape, servingEndpoints } from '../election/endpoints.ts';
import type { WithdrawReason } from '../election/withdraw-reason.ts';
import type { Service } from '../kubernetes/core.ts';
import { announceable, sharesAddress } from './announceable.ts';

/**
 * What the addresses of a Service ask of the nodes, each for itself, or why none is announced. What MetalLB withdraws
 * is withdrawn here as well, so that the choice of an election never decides whether an address is on the LAN: with
 * `balanced`, too, a Service that shares its address may not be advertised by the labels of Services.
 */
export function wishesOf(
  service: Service | undefined,
  slices: readonly EndpointSliceShape[],
  config: Config,
  servedClass: string,
): readonly AddressWish[] | { readonly withdraw: WithdrawReason } {
  const found = announceable(service, config, servedClass);
  if ('withdraw' in found || service === undefined) return found as { readonly withdraw: WithdrawReason };
  const endpoints = servingEndpoints(slices);
  if (!endpoints.any) return { withdraw: 'notOwner' };
  const localTo = service.spec?.externalTrafficPolicy === 'Local' ? [...endpoints.nodes].sort().join(' ') : undefined;
  const wishes = found.addresses.map((address) => {
    const advertisements = selected(service.metadata.labels ?? {}, config.poolOf(address)?.l2Advertisements ?? []);
    return { address, advertisements, localTo };
  });
  const byLabels = wishes.some(({ advertisements }) => advertisements.some((one) => one.serviceSelectors.length > 0));
  return byLabels && sharesAddress(service) ? { withdraw: 'sharedIPWithServiceSelector' } : wishes;
}

/** Advertisements → their part, by the places that it has in them. */
const parts = new WeakMap<readonly Advertisement[], Map<string, readonly Advertisement[]>>();

/** Those about the Service: of one list, the same part is always the same array. */
function selected(labels: Labels, advertisements: readonly Advertisement[]): readonly Advertisement[] {
  const part = advertisementsFor(labels, advertisements);
  if (part.length === advertisements.length) return advertisements;
  const key = part.map((one) => advertisements.indexOf(one)).join(' ');
  const known = parts.get(advertisements) ?? new Map<string, readonly Advertisement[]>();
  parts.set(advertisements, known);
  if (!known.has(key)) known.set(key, part);
  return known.get(key)!;
}
