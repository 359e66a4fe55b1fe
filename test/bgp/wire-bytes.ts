import { parseAddress } from '../../src/ip/address.ts';
import { type Prefix, parsePrefix } from '../../src/ip/prefix.ts';

/** From hexadecimal digits; blanks are for the reader. */
export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

const hex = (value: number, bytes: number) => value.toString(16).padStart(2 * bytes, '0');
const lengthOf = (digits: string) => digits.replaceAll(/\s/g, '').length / 2;

/** The digits of a message around those of a body. */
export function message(type: number, body = ''): string {
  return `${'ff'.repeat(16)}${hex(19 + lengthOf(body), 2)}${hex(type, 1)}${body.replaceAll(/\s/g, '')}`;
}

/** The digits of an UPDATE of these fields. */
export function update({ withdrawn = '', attributes = '', routes = '' }): string {
  return message(2, `${hex(lengthOf(withdrawn), 2)}${withdrawn}${hex(lengthOf(attributes), 2)}${attributes}${routes}`);
}

/** The digits of an attribute, with a length of two bytes where its flags say so. */
export function attribute(flags: number, type: number, value = ''): string {
  return `${hex(flags, 1)}${hex(type, 1)}${hex(lengthOf(value), flags & 0x10 ? 2 : 1)}${value}`;
}

/** The digits of an OPEN of AS 64500, hold time 90, identifier 192.0.2.1, with these parameters. */
export function open({ version = 4, asn = 64_500, holdTime = 90, id = 'c0000201', parameters = '' }): string {
  const length = hex(lengthOf(parameters), 1);
  return message(1, `${hex(version, 1)}${hex(asn, 2)}${hex(holdTime, 2)}${id}${length}${parameters}`);
}

/** The digits of a parameter with these capabilities. */
export function capabilities(digits: string): string {
  return `02${hex(lengthOf(digits), 1)}${digits}`;
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (typeof parsed === 'string') throw new Error(`${text}: ${parsed}`);
  return parsed;
}

export function address(text: string) {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`no address: ${text}`);
  return parsed;
}
