import { type Address, formatAddress } from '../ip/address.ts';
import type { DnsWish } from './dns-annotations.ts';

/** `dnsendpoints.externaldns.k8s.io/v1alpha1`: records that external-dns is to publish. The fields that we write. */
export type DNSEndpointSpec = { readonly endpoints?: readonly DNSRecords[] };

/** All records of one name and type. */
export type DNSRecords = {
  readonly dnsName: string;
  readonly recordType: string;
  readonly targets?: readonly string[];
  /** Seconds; absent or 0: as the provider has it. */
  readonly recordTTL?: number;
};

const recordTypes = { 4: 'A', 6: 'AAAA' } as const;

/** An A record for each IPv4 address and an AAAA record for each IPv6 address, for every name. */
export function dnsEndpointSpec(
  { hostnames, ttl }: Pick<Extract<DnsWish, { place: 'endpoint' }>, 'hostnames' | 'ttl'>,
  addresses: readonly Address[],
): DNSEndpointSpec {
  const families = ([4, 6] as const).flatMap((family) => {
    const targets = addresses.filter((address) => address.family === family).map(formatAddress);
    return targets.length === 0 ? [] : [{ recordType: recordTypes[family], targets }];
  });
  const time = ttl === undefined ? {} : { recordTTL: ttl };
  return { endpoints: hostnames.flatMap((dnsName) => families.map((records) => ({ dnsName, ...records, ...time }))) };
}

/** Equal for what says the same, in whatever order a server gives the fields back. */
export function dnsEndpointText({ endpoints = [] }: DNSEndpointSpec = {}): string {
  return JSON.stringify(
    endpoints.map(({ dnsName, recordType, targets = [], recordTTL = 0 }) => [dnsName, recordType, targets, recordTTL]),
  );
}
