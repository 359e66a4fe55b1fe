import { isDeepStrictEqual } from 'node:util';
import type { Wish } from '../allocator/wish.ts';
import { formatProblem } from '../api/field.ts';
import { addressField, annotationField, mostAddresses, readCount } from '../api/requested-addresses.ts';
import {
  type Annotations,
  deprecatedAnnotations,
  foundAnnotation,
  readAnnotation,
  serviceAnnotations,
  shadowedAnnotations,
} from '../api/service-annotations.ts';
import { parseServiceWish } from '../api/service-wish.ts';
import { Config } from '../config/config.ts';
import { formatAddress } from '../ip/address.ts';
import type { Reviewer } from '../kubernetes/admission-review.ts';
import type { Service } from '../kubernetes/core.ts';
import { keyOf } from '../kubernetes/resource.ts';
import { goneText } from './assigned-condition.ts';
import { type ClassBinding, isServed } from './class-binding.ts';
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
    if (service === undefined || subresource !== '') return { allowed: true };
    const known = config();
    const isOurs = isServed(service, loadBalancerClass, known ?? Config.empty);
    if (!isOurs || !isChanged(service, before)) return { allowed: true };
    const annotations = service.metadata.annotations ?? {};
    const warnings = [...wishWarnings(service, known), ...annotationWarnings(service), ...deprecations(annotations)];
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
  const read = readWish(service, {}, config ?? Config.empty);
  // Cluster addresses may be assigned after the review.
  if ('problem' in read) return read.reason === 'no-cluster-ips' ? [] : [read.problem];
  if (read.slip !== undefined) return [read.slip.problem];
  if (config === undefined) return [];
  const { binding } = read;
  if (binding?.state === 'gone') return [told(service, 'status.conditions', binding.name, goneText(binding.name))];
  return [...poolWarnings(service, read.wish, binding, config), ...addressWarnings(service, read.wish, config)];
}

function poolWarnings(service: Service, wish: Wish, binding: ClassBinding | undefined, config: Config): string[] {
  if (binding === undefined) {
    const key = wish.pool === undefined ? serviceAnnotations.addressPools : serviceAnnotations.addressPool;
    const missing = poolsOf(wish).filter((one) => config.pool(one) === undefined);
    const message = 'names no IPAddressPool: the Service waits until there is one';
    return missing.map((one) => told(service, annotationField(key), one, message));
  }
  if (binding.state === 'unknown') {
    if (config.pool(binding.name) !== undefined) return [];
    const message = 'names no MetalLoadBalancerClass: the Service waits until there is one';
    return [told(service, annotationField(serviceAnnotations.deckhouseClass), binding.name, message)];
  }
  const annotations = service.metadata.annotations ?? {};
  const message = `is ignored, because the Service is of the load balancer class ${binding.name}: remove it`;
  return [serviceAnnotations.addressPool, serviceAnnotations.addressPools].flatMap((key) => {
    const value = readAnnotation(annotations, key);
    return value ? told(service, annotationField(key), value, message) : [];
  });
}

function addressWarnings(service: Service, wish: Wish, config: Config): string[] {
  const names = poolsOf(wish);
  const annotations = service.metadata.annotations ?? {};
  const field = addressField(annotations, service.spec?.loadBalancerIP);
  return [...wish.addresses, ...wish.wanted].flatMap((address) => {
    const owner = config.poolOf(address)?.name;
    const text = formatAddress(address);
    if (owner === undefined) {
      return told(service, field, text, 'is in no IPAddressPool: the Service waits until it is in one');
    }
    if (names.length === 0 || names.includes(owner)) return [];
    return told(service, field, text, `is in the pool ${owner}, but ${names.join(', ')} is requested: remove one`);
  });
}

/** What the annotations say that does not count, or not as it stands. */
function annotationWarnings(service: Service): string[] {
  const annotations = service.metadata.annotations ?? {};
  const shadowed = shadowedAnnotations(annotations).map(({ key, by }) =>
    told(service, annotationField(key), annotations[key], `is ignored, because ${by} goes before it: remove one`),
  );
  const count = foundAnnotation(annotations, 'externalIPsCount');
  if (!count?.value) return shadowed;
  const number = readCount(annotations);
  const wish = parseServiceWish(service);
  const field = annotationField(count.key);
  if (number === undefined) {
    return [...shadowed, told(service, field, count.value, `is no number from 1 to ${mostAddresses}, and read as 1`)];
  }
  if ('reason' in wish || typeof number !== 'number' || number >= wish.count) return shadowed;
  const message = `is less than the ${wish.count} addresses of a family that are asked for by name: all of them count`;
  return [...shadowed, told(service, field, count.value, message)];
}

function poolsOf({ pool, pools }: Wish): readonly string[] {
  return pool === undefined ? pools : [pool];
}

function told(service: Service, field: string, value: unknown, message: string): string {
  return formatProblem({ object: `Service ${keyOf(service)}`, field, value, message });
}

function deprecations(annotations: Annotations): readonly string[] {
  return deprecatedAnnotations(annotations).map((key) => {
    const now = `metallb.io/${key.slice(key.indexOf('/') + 1)}`;
    return `${annotationField(key)} is deprecated: write ${now}`;
  });
}
