import { type CelFunc, type CelMap, CelScalar, celFunc, celMethod, listType, mapType } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { type Address, formatAddress, parseAddress } from '../../../ip/address.ts';
import { type Prefix, parsePrefix } from '../../../ip/prefix.ts';
import { prefixRange, rangeHas } from '../../../ip/range.ts';

const { BOOL, DYN, INT, STRING } = CelScalar;
const list = listType(DYN);

/**
 * The library has no opaque types, so an address is a map with one entry, under its type's name, and so is a CIDR.
 * Texts are canonical, which makes equal what is equal.
 */
const opaque = mapType(STRING, STRING);
const ipType = 'net.IP';
const cidrType = 'net.CIDR';

/**
 * What the real server's expressions can call beyond standard CEL: the string, address, CIDR, list and regular
 * expression libraries. Quantities, URLs, formats, sets, semantic versions and authorisation are not there.
 */
export const functions: CelFunc[] = [
  ...strings,
  celFunc('isIP', [STRING], BOOL, (text) => parseAddress(text) !== undefined),
  celFunc('ip', [STRING], opaque, (text) => ipValue(toAddress(text))),
  celFunc('string', [opaque], STRING, textOf),
  celMethod('family', opaque, [], INT, function () {
    return BigInt(toAddress(held(this, ipType)).family);
  }),
  celFunc('isCIDR', [STRING], BOOL, (text) => readCIDR(text) !== undefined),
  celFunc('cidr', [STRING], opaque, (text) => cidrValue(toCIDR(text))),
  celMethod('ip', opaque, [], opaque, function () {
    return ipValue(toCIDR(held(this, cidrType)).address);
  }),
  celMethod('masked', opaque, [], opaque, function () {
    const { prefix } = toCIDR(held(this, cidrType));
    return cidrValue({ address: prefix, prefix });
  }),
  celMethod('prefixLength', opaque, [], INT, function () {
    return BigInt(toCIDR(held(this, cidrType)).prefix.length);
  }),
  celMethod('containsIP', opaque, [STRING], BOOL, function (text) {
    return containsIP(this, text);
  }),
  celMethod('containsIP', opaque, [opaque], BOOL, function (address) {
    return containsIP(this, held(address, ipType));
  }),
  celMethod('containsCIDR', opaque, [STRING], BOOL, function (text) {
    return containsCIDR(this, text);
  }),
  celMethod('containsCIDR', opaque, [opaque], BOOL, function (cidr) {
    return containsCIDR(this, held(cidr, cidrType));
  }),
  celMethod('isSorted', list, [], BOOL, function () {
    const items = [...this];
    return items.every((item, i) => i === 0 || !isLess(item, items[i - 1]));
  }),
  celMethod('sum', list, [], DYN, function () {
    const items = [...this] as (bigint | number)[];
    return items.reduce((sum, item) => (sum as number) + (item as number), typeof items[0] === 'number' ? 0 : 0n);
  }),
  celMethod('min', list, [], DYN, function () {
    return extreme(this, (item, best) => isLess(item, best));
  }),
  celMethod('max', list, [], DYN, function () {
    return extreme(this, (item, best) => isLess(best, item));
  }),
  celMethod('indexOf', list, [DYN], INT, function (wanted) {
    return BigInt([...this].indexOf(wanted));
  }),
  celMethod('lastIndexOf', list, [DYN], INT, function (wanted) {
    return BigInt([...this].lastIndexOf(wanted));
  }),
  celMethod('find', STRING, [STRING], STRING, function (pattern) {
    return new RegExp(pattern, 'u').exec(this)?.[0] ?? '';
  }),
  celMethod('findAll', STRING, [STRING], list, function (pattern) {
    return [...this.matchAll(new RegExp(pattern, 'gu'))].map(([match]) => match);
  }),
];

type CIDR = { readonly address: Address; readonly prefix: Prefix };

function ipValue(address: Address): { [key: string]: string } {
  return { [ipType]: formatAddress(address) };
}

function cidrValue({ address, prefix }: CIDR): { [key: string]: string } {
  return { [cidrType]: `${formatAddress(address)}/${prefix.length}` };
}

function held(value: CelMap, type: string): string {
  const text = value.get(type);
  if (typeof text !== 'string') throw new Error('no such overload');
  return text;
}

function textOf(value: CelMap): string {
  const [text] = value.values();
  return String(text);
}

function toAddress(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined)
    throw new Error(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
  return address;
}

function readCIDR(text: string): CIDR | undefined {
  const prefix = parsePrefix(text);
  const address = parseAddress(text.slice(0, text.indexOf('/')));
  // As a text, because only a length without leading zeros is one.
  const isCanonical = typeof prefix !== 'string' && text.endsWith(`/${prefix.length}`);
  return isCanonical && address !== undefined ? { address, prefix } : undefined;
}

function toCIDR(text: string): CIDR {
  const cidr = readCIDR(text);
  if (cidr === undefined) throw new Error('network address parse error during conversion from string');
  return cidr;
}

function containsIP(cidr: CelMap, text: string): boolean {
  return rangeHas(prefixRange(toCIDR(held(cidr, cidrType)).prefix), toAddress(text));
}

function containsCIDR(cidr: CelMap, text: string): boolean {
  const [outer, inner] = [toCIDR(held(cidr, cidrType)).prefix, toCIDR(text).prefix];
  return outer.length <= inner.length && rangeHas(prefixRange(outer), inner);
}

function isLess(a: unknown, b: unknown): boolean {
  return (a as number) < (b as number);
}

function extreme<T>(items: Iterable<T>, isBetter: (item: T, best: T) => boolean): T {
  const [first, ...rest] = items;
  if (first === undefined) throw new Error('min and max of an empty list');
  return rest.reduce((best, item) => (isBetter(item, best) ? item : best), first);
}
