import type { Allocator } from '../allocator/allocator.ts';
import type { Pool } from '../config/config.ts';
import type { ObjectKey } from '../kubernetes/resource.ts';
import type { PoolUse } from '../telemetry/metallb-metrics.ts';

/** What the pools have, and what of it these Services have. Looks at every Service. */
export function poolUse(
  pools: readonly Pick<Pool, 'name'>[],
  services: Iterable<ObjectKey>,
  allocator: Pick<Allocator, 'counters' | 'assignment'>,
): readonly PoolUse[] {
  const served = new Map<string, number>();
  for (const service of services) {
    const names = new Set(allocator.assignment(service)?.addresses.map(({ pool }) => pool));
    for (const name of names) served.set(name, (served.get(name) ?? 0) + 1);
  }
  return pools.flatMap(({ name }) => {
    const counters = allocator.counters(name);
    if (counters === undefined) return [];
    const { totalIPv4, totalIPv6, assignedIPv4, assignedIPv6 } = counters;
    const ipv4 = { total: totalIPv4, inUse: assignedIPv4 };
    const ipv6 = { total: totalIPv6, inUse: assignedIPv6 };
    return [{ pool: name, ipv4, ipv6, services: served.get(name) ?? 0 }];
  });
}
