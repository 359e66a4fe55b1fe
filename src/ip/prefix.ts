import { type Address, addressBits, type Family, formatAddress, parseAddress } from './address.ts';

/** A CIDR block. `value` is its lowest address: the host bits are zero. */
export type Prefix = { readonly family: Family; readonly value: bigint; readonly length: number };

export type PrefixProblem = 'no-length' | 'invalid-address' | 'invalid-length';

/** Parses `192.0.2.0/24` or `2001:db8::/64`. Host bits are cleared: `192.0.2.7/24` is `192.0.2.0/24`. */
export function parsePrefix(text: string): Prefix | PrefixProblem {
  const slash = text.indexOf('/');
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (!address) return 'invalid-address';
  if (slash === -1) return 'no-length';
  const digits = text.slice(slash + 1);
  const length = /^[0-9]+$/.test(digits) ? Number(digits) : Number.NaN;
  return length <= addressBits[address.family] ? prefixAround(address, length) : 'invalid-length';
}

/** The block of `length` bits that the address lies in, `length` being one that the family has. */
export function prefixAround(address: Address, length: number): Prefix {
  const hostBits = BigInt(addressBits[address.family] - length);
  return { family: address.family, value: (address.value >> hostBits) << hostBits, length };
}

/** Whether all of the inner one lies in the outer one; bits of either beyond its length mean nothing. */
export function coversPrefix(outer: Prefix, inner: Prefix): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false;
  const hostBits = BigInt(addressBits[outer.family] - outer.length);
  return outer.value >> hostBits === inner.value >> hostBits;
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix)}/${prefix.length}`;
}
