import { type Address, type Family, formatAddress, parseAddress } from '../ip/address.ts';
import { isHoldable } from '../ip/holdable.ts';
import { readDuration } from './duration.ts';
import type { Field } from './field.ts';
import { type Parsed, parseResource, type ResourceMeta } from './resource.ts';

/** `addressreservations.garpoon.io/v1alpha1` as the API serves it. */
export type AddressReservation = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ResourceMeta;
  readonly spec: {
    readonly service: { readonly namespace: string; readonly name: string };
    readonly addresses?: readonly string[];
    readonly pool?: string;
    readonly families?: readonly ('IPv4' | 'IPv6')[];
    readonly retainFor?: string;
  };
  readonly status?: AddressReservationStatus;
};

export type AddressReservationStatus = {
  /** What is kept: those asked for, or those that were chosen. */
  readonly addresses?: readonly string[];
  /** The Service that has them now, as namespace/name; absent while they wait for it. */
  readonly holder?: string;
  /** Since when that has them: RFC 3339; absent while they wait for it. */
  readonly since?: string;
};

/** Addresses that only one Service may have, whether it exists or not. */
export type ReservationDeclaration = {
  readonly object: string;
  readonly name: string;
  /** `namespace/name`. */
  readonly service: string;
  /** In the order of `spec.addresses`; empty: any. */
  readonly addresses: readonly Address[];
  readonly pool: string | undefined;
  /** IPv4 first. */
  readonly families: readonly Family[] | undefined;
  /** For how long the addresses are kept after the reservation is gone, in milliseconds. */
  readonly retainFor: number;
};

const familyOf = { IPv4: 4, IPv6: 6 } as const;
const maxPerFamily = 2;
const maxRetention = 8_760 * 3_600_000;
const maxServiceName = 63;
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** Reads an object from the API server, a webhook or a file. Never throws, whatever it is given. */
export function parseAddressReservation(raw: unknown): Parsed<ReservationDeclaration> {
  return parseResource('AddressReservation', raw, (root, { object, name }) => {
    const spec = root.at('spec').required();
    const service = spec.at('service').required();
    const families = readFamilies(spec.at('families'));
    const pool = spec.at('pool');
    if (pool.text() === '') pool.refuse('must not be empty: name an IPAddressPool, or remove the field');
    const declaration = {
      object,
      name,
      service: `${readLabel(service.at('namespace'))}/${readLabel(service.at('name'))}`,
      addresses: readAddresses(spec.at('addresses')),
      pool: pool.text(),
      families,
      retainFor: readRetention(spec.at('retainFor')),
    };
    checkFamilies(spec, declaration);
    return declaration;
  });
}

function readLabel(field: Field): string {
  const text = field.required().text() ?? '';
  if (text.length > maxServiceName || !label.test(text)) {
    field.refuse(`must be a name of at most ${maxServiceName} lower-case letters, digits and -`);
  }
  return text;
}

function readAddresses(field: Field): readonly Address[] {
  const addresses = new Map<string, Address>();
  let twice = false;
  for (const item of field.items(2 * maxPerFamily)) {
    const text = item.required().text();
    const address = text === undefined ? undefined : parseAddress(text);
    if (!address) item.refuse('is no address: write one such as 192.0.2.1 or 2001:db8::1');
    else if (!isHoldable({ family: address.family, first: address.value, last: address.value })) {
      item.refuse('is an address that no host can hold (loopback, multicast or the like): remove the entry');
    } else if (addresses.has(formatAddress(address))) twice = true;
    else addresses.set(formatAddress(address), address);
  }
  if (twice) field.refuse('must not list an address twice: remove one of the two');
  const all = [...addresses.values()];
  const tooMany = ([4, 6] as const).find((family) => all.filter((one) => one.family === family).length > maxPerFamily);
  if (tooMany !== undefined) field.refuse(`must have at most ${maxPerFamily} addresses of IPv${tooMany}`);
  return all;
}

function readFamilies(field: Field): readonly Family[] | undefined {
  const families = field.items(2).flatMap((item) => item.required().oneOf(['IPv4', 'IPv6']) ?? []);
  field.distinctTexts();
  if (!field.absent && field.items().length === 0) field.refuse('must name IPv4, IPv6 or both, or be left out');
  return field.absent ? undefined : families.map((family) => familyOf[family]).sort();
}

function readRetention(field: Field): number {
  const time = readDuration(field) ?? 0;
  if (time > maxRetention) field.refuse('must be at most 8760h');
  return time;
}

function checkFamilies(
  spec: Field,
  { addresses, families }: Pick<ReservationDeclaration, 'addresses' | 'families'>,
): void {
  const stray = families && addresses.find((address) => !families.includes(address.family));
  if (stray === undefined) return;
  spec.refuseAs(
    { addresses: addresses.map(formatAddress), families: families?.map((family) => `IPv${family}`) },
    `keeps ${formatAddress(stray)} but not its family: add IPv${stray.family} to families, or remove the address`,
  );
}
