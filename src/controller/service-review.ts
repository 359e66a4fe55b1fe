import { isDeepStrictEqual } from 'node:util';
import { formatProblem } from '../api/field.ts';
import { type Annotations, deprecatedAnnotations, serviceAnnotations } from '../api/service-annotations.ts';
import type { Config } from '../config/config.ts';
import { formatAddress } from '../ip/address.ts';
import type { Reviewer } from '../kubernetes/admission-review.ts';
import type { Service } from '../kubernetes/core.ts';
import { keyOf } from '../kubernetes/resource.ts';
import { readWish } from './wish.ts';

export type ServiceReviewOptions = {
  /** Empty: Services without a class. Otherwise: those with this class, and no others. */
  readonly loadBalancerClass: string;
  /** What is in force; undefined while that is not known. */
  readonly config: () => Config | undefined;
};

/** Refuses nothing: what cannot work now may do so tomorrow. Its author is told at once, and not by events alone. */
export function serviceReviewer({ loadBalancerClass, config }: ServiceReviewOptions): Reviewer {
  return ({ object, oldObject, subresource }) => {
    const service = object as Service | undefined;
    const before = oldObject as Service | undefined;
    const { type, loadBalancerClass: found = '' } = service?.spec ?? {};
    const isServed = config()?.serves(found, loadBalancerClass) ?? found === loadBalancerClass;
    const isOurs = type === 'LoadBalancer' && isServed;
    if (service === undefined || subresource !== '' || !isOurs || !isChanged(service, before)) return { allowed: true };
    const warnings = [...wishWarnings(service, config()), ...deprecations(service.metadata.annotations ?? {})];
    return { allowed: true, warnings };
  };
}

/** Who writes it for another reason was not the one who asked for what we warn about. */
function isChanged(service: Service, before: Service | undefined): boolean {
  if (before === undefined) return true;
  const { spec, metadata } = before;
  return !isDeepStrictEqual([service.spec, service.metadata.annotations], [spec, metadata.annotations]);
}

function wishWarnings(service: Service, config: Config | undefined): readonly string[] {
  const read = readWish(service, {});
  // Cluster addresses may be assigned after the review.
  if ('problem' in read) return read.reason === 'no-cluster-ips' ? [] : [read.problem];
  if (read.slip !== undefined) return [read.slip.problem];
  if (config === undefined) return [];
  const { pool, pools, addresses } = read.wish;
  const told = (field: string, value: string, message: string) =>
    formatProblem({ object: `Service ${keyOf(service)}`, field, value, message });
  const names = pool === undefined ? pools : [pool];
  const poolField = annotation(pool === undefined ? serviceAnnotations.addressPools : serviceAnnotations.addressPool);
  const missing = names.filter((one) => config.pool(one) === undefined);
  const { loadBalancerIP } = service.spec ?? {};
  const addressField = loadBalancerIP ? 'spec.loadBalancerIP' : annotation(serviceAnnotations.loadBalancerIPs);
  return [
    ...missing.map((one) => told(poolField, one, 'names no IPAddressPool: the Service waits until there is one')),
    ...addresses.flatMap((address) => {
      const owner = config.poolOf(address)?.name;
      const text = formatAddress(address);
      if (owner === undefined) {
        return [told(addressField, text, 'is in no IPAddressPool: the Service waits until it is in one')];
      }
      if (names.length === 0 || names.includes(owner)) return [];
      return [told(addressField, text, `is in the pool ${owner}, but ${names.join(', ')} is requested: remove one`)];
    }),
  ];
}

function annotation(key: string): string {
  return `metadata.annotations[${key}]`;
}

function deprecations(annotations: Annotations): readonly string[] {
  return deprecatedAnnotations(annotations).map((key) => {
    const now = `metallb.io/${key.slice(key.indexOf('/') + 1)}`;
    return `${annotation(key)} is deprecated: write ${now}`;
  });
}
