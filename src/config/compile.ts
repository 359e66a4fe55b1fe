import type { ApiProblem } from '../api/field.ts';
import { type PoolDeclaration, parseIPAddressPool } from '../api/ip-address-pool.ts';
import { type L2AdvertisementDeclaration, parseL2Advertisement } from '../api/l2-advertisement.ts';
import { compareTexts } from '../api/label-selector.ts';
import type { Parsed } from '../api/resource.ts';
import { Config, type Pool, type PoolL2Advertisement } from './config.ts';
import { findDuplicateNames, findOverlaps } from './conflicts.ts';

/** The resources of one namespace, ours, as the API server or files give them. Nothing about them is trusted. */
export type Resources = { readonly pools: readonly unknown[]; readonly l2Advertisements: readonly unknown[] };

export type ConfigError = ApiProblem;

export type Compiled = { readonly config: Config } | { readonly errors: readonly ConfigError[] };

/**
 * Makes a Config, or says everything that stands against it, sorted. Never throws. One faulty resource refuses the
 * whole: callers keep the Config they have, because half of a change may be worse than none of it.
 */
export function compile(resources: Resources): Compiled {
  const pools = parseAll(resources.pools, parseIPAddressPool);
  const advertisements = parseAll(resources.l2Advertisements, parseL2Advertisement);
  const errors = [
    ...pools.errors,
    ...advertisements.errors,
    ...findDuplicateNames(pools.values),
    ...findDuplicateNames(advertisements.values),
    ...findOverlaps(pools.values),
  ];
  if (errors.length > 0) return { errors: errors.sort(compareErrors) };
  return { config: new Config(pools.values.map((pool) => compilePool(pool, advertisements.values))) };
}

type Declaration = PoolDeclaration | L2AdvertisementDeclaration;

function parseAll<T extends Declaration>(
  raws: readonly unknown[],
  parse: (raw: unknown) => Parsed<T>,
): { values: readonly T[]; errors: readonly ConfigError[] } {
  const parsed = raws.map(parse);
  const values = parsed.flatMap((one) => ('value' in one ? [one.value] : []));
  const errors = parsed.flatMap((one) => ('problems' in one ? one.problems : []));
  return { values: values.sort((a, b) => compareTexts(a.name, b.name) || compareTexts(a.object, b.object)), errors };
}

function compilePool(pool: PoolDeclaration, advertisements: readonly L2AdvertisementDeclaration[]): Pool {
  return {
    name: pool.name,
    addresses: pool.addresses,
    autoAssign: pool.autoAssign,
    avoidBuggyIPs: pool.avoidBuggyIPs,
    serviceAllocation: pool.serviceAllocation,
    l2Advertisements: advertisements.filter((one) => chooses(one, pool)).map(compileAdvertisement),
  };
}

function chooses(advertisement: L2AdvertisementDeclaration, pool: PoolDeclaration): boolean {
  const { pools } = advertisement;
  if (pools === 'all') return true;
  return pools.names.includes(pool.name) || pools.selectors.some((selector) => selector.matches(pool.labels));
}

function compileAdvertisement(declaration: L2AdvertisementDeclaration): PoolL2Advertisement {
  const { object: _object, pools: _pools, ...advertisement } = declaration;
  return advertisement;
}

function compareErrors(a: ConfigError, b: ConfigError): number {
  return compareTexts(a.object, b.object) || compareTexts(a.field, b.field) || compareTexts(a.message, b.message);
}
