import type { AddressReservation } from '../api/address-reservation.ts';
import type { IPAddressPool } from '../api/ip-address-pool.ts';
import { type Address, formatAddress, parseAddress } from '../ip/address.ts';
import type { ObjectKey } from '../kubernetes/resource.ts';
import { parseTimestamp } from '../runtime/clock.ts';

/** Since when the Service has the address, in milliseconds since 1970; undefined when nobody knows. */
export type Sinces = (service: ObjectKey, address: Address) => number | undefined;

/** What an earlier run has noted in the status of the pools, whatever they were called then. */
export function sincesOf(pools: readonly Pick<IPAddressPool, 'status'>[]): Sinces {
  const noted = pools.flatMap(({ status }) => status?.assignments ?? []);
  const byAddress = new Map(noted.map((assignment) => [assignment.address, assignment]));
  return (service, address) => {
    const { services, since } = byAddress.get(formatAddress(address)) ?? {};
    return services?.includes(service) && since !== undefined ? parseTimestamp(since) : undefined;
  };
}

/** The addresses that an earlier run has found for reservations, by their names. */
export function foundFor(
  reservations: readonly Pick<AddressReservation, 'metadata' | 'status'>[],
): ReadonlyMap<string, readonly Address[]> {
  const found = reservations.map(({ metadata, status }) => {
    const addresses = (status?.addresses ?? []).flatMap((text) => parseAddress(text) ?? []);
    return [metadata.name, addresses] as const;
  });
  return new Map(found);
}
