import { MessageFramer } from '../../../src/bgp/framer.ts';
import { isMessageError } from '../../../src/bgp/message-error.ts';
import { attributeTypes } from '../../../src/bgp/path-attributes.ts';
import { addressBits, addressFromBytes, type Family, formatAddress } from '../../../src/ip/address.ts';
import { formatPrefix } from '../../../src/ip/prefix.ts';

const header = 19;
const updateType = 2;
const extendedLength = 0x10;

/** What a router learns over one connection: the routes that it has, and how it was told of them. */
export class HeardRoutes {
  /** By prefix, in words. */
  readonly routes = new Map<string, string>();
  /** UPDATEs, in words: `+192.0.2.1/32`, `-192.0.2.1/32`, `End-of-RIB 4`. */
  readonly updates: string[] = [];
  readonly #framer = new MessageFramer();

  hear(bytes: Uint8Array): void {
    const messages = this.#framer.push(bytes);
    if (isMessageError(messages)) throw new Error(messages.text);
    for (const message of messages) if (message[18] === updateType) this.#read(message.subarray(header));
  }

  /** `192.0.2.1/32 64512 via 192.0.2.10; …`, sorted. */
  get text(): string {
    return [...this.routes]
      .map(([prefix, words]) => `${prefix} ${words}`)
      .sort()
      .join('; ');
  }

  #read(body: Uint8Array): void {
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    const withdrawnEnd = 2 + view.getUint16(0);
    const attributesEnd = withdrawnEnd + 2 + view.getUint16(withdrawnEnd);
    const withdrawn = prefixesOf(4, body.subarray(2, withdrawnEnd));
    const announced = prefixesOf(4, body.subarray(attributesEnd));
    const values = attributesOf(body.subarray(withdrawnEnd + 2, attributesEnd));
    let nextHop = values.get(attributeTypes.nextHop);
    const reach = values.get(attributeTypes.mpReach);
    if (reach !== undefined) {
      const length = reach[3]!;
      nextHop = reach.subarray(4, 4 + Math.min(length, 16));
      announced.push(...prefixesOf(reach[1] === 1 ? 4 : 6, reach.subarray(5 + length)));
    }
    const unreach = values.get(attributeTypes.mpUnreach);
    if (unreach !== undefined) withdrawn.push(...prefixesOf(unreach[1] === 1 ? 4 : 6, unreach.subarray(3)));
    for (const prefix of withdrawn) this.routes.delete(prefix);
    const words = announced.length === 0 ? '' : wordsOf(values, nextHop!);
    for (const prefix of announced) this.routes.set(prefix, words);
    const changes = [...announced.map((prefix) => `+${prefix}`), ...withdrawn.map((prefix) => `-${prefix}`)];
    this.updates.push(changes.join(' ') || `End-of-RIB ${unreach?.[1] === 2 ? 6 : 4}`);
  }
}

function attributesOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const values = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const [flags, type, first, second] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
    const isLong = (flags & extendedLength) !== 0;
    const from = at + (isLong ? 4 : 3);
    at = from + (isLong ? first * 256 + second : first);
    values.set(type, bytes.subarray(from, at));
  }
  return values;
}

function prefixesOf(family: Family, bytes: Uint8Array): string[] {
  const prefixes: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at]!;
    const whole = new Uint8Array(addressBits[family] / 8);
    const size = Math.ceil(length / 8);
    whole.set(bytes.subarray(at + 1, at + 1 + size));
    at += 1 + size;
    prefixes.push(formatPrefix({ ...addressFromBytes(whole)!, length }));
  }
  return prefixes;
}

/** `64512 64512 via 192.0.2.10 med 0 pref 100 with 65535:0 64512:1:2`. */
function wordsOf(values: ReadonlyMap<number, Uint8Array>, nextHop: Uint8Array): string {
  const numbers = (type: number, from = 0) => {
    const value = values.get(type)?.slice(from) ?? new Uint8Array();
    const view = new DataView(value.buffer);
    return Array.from({ length: value.length / 4 }, (_, i) => view.getUint32(4 * i));
  };
  const path = numbers(attributeTypes.asPath, 2);
  const large = numbers(attributeTypes.largeCommunities);
  const communities = [
    ...numbers(attributeTypes.communities).map((value) => `${value >>> 16}:${value & 0xffff}`),
    ...large.flatMap((_, i) => (i % 3 === 0 ? [large.slice(i, i + 3).join(':')] : [])),
  ];
  return [
    ...(path.length === 0 ? ['local'] : path),
    `via ${formatAddress(addressFromBytes(nextHop)!)}`,
    ...numbers(attributeTypes.med).map((med) => `med ${med}`),
    ...numbers(attributeTypes.localPref).map((preference) => `pref ${preference}`),
    ...(communities.length === 0 ? [] : [`with ${communities.join(' ')}`]),
  ].join(' ');
}
