import type { NodeInterface } from '../election/interface-fitness.ts';
import { type Address, addressBits, compareAddresses, type Family, sameAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import { ByteReader, ByteWriter } from './byte-stream.ts';

/** What a speaker tells the others of its node. Times are in whole milliseconds since 1970, by the clock of that node. */
export type NodeReport = {
  readonly node: string;
  /** Of two reports of one node the later counts, in whatever order they arrive. */
  readonly saidAt: number;
  /** When the speaker began. */
  readonly startedAt: number;
  /** By name; undefined: not told, because there are too many. */
  readonly interfaces: readonly NodeInterface[] | undefined;
  /** Whether the speaker hands over what it announces. */
  readonly draining: boolean;
  /** Until when the speaker means to be back; undefined: it is not about to restart. */
  readonly restartingUntil: number | undefined;
  /** What it holds, each address once: IPv4 first, ascending. */
  readonly claims: readonly Claim[];
};

export type Claim = { readonly address: Address; readonly since: number };

export const maxReportBytes = 65_536;

/**
 * The shape of a report. A number is as `ByteWriter` writes it, a text is its length in bytes and UTF-8.
 *
 *     version (a byte, 1) | flags (a byte) | node (text) | saidAt | startedAt | restartingUntil, if flagged
 *     | interfaces, if flagged: count | name (text) | flags (a byte) | MAC address (6 bytes), if flagged
 *         | count of prefixes | family (a byte) | length (a byte) | the number that its leading bits are
 *     | count of IPv4 claims | count of IPv6 claims
 *     | claims: how far after the address before it, of its family | how long before or after the one before it
 *     | whatever a later version appends
 *
 * The time of the first claim is told from saidAt. A time before is written as an odd number, one after as an even
 * one, so that addresses in a row that were taken at once are two or three bytes each.
 */
const version = 1;
const flag = { draining: 1, restarting: 2, interfaces: 4 } as const;
const interfaceFlag = { up: 1, onlyByName: 2, mac: 4 } as const;

const maxInterfaces = 512;
const maxPrefixes = 128;
const maxNameBytes = 253;
/** Of Linux. */
const maxInterfaceNameBytes = 15;
/** No claim is shorter than two bytes. */
const maxClaims = maxReportBytes / 2;
const maxTime = 2 ** 48 - 1;

/**
 * The same facts in any order, the same bytes. `omittedClaims` is how many of the youngest claims did not fit: some ten
 * thousand do.
 */
export function encodeNodeReport(report: NodeReport): { readonly bytes: Uint8Array; readonly omittedClaims: number } {
  const claims = canonical(report.claims);
  const whole = write(report, claims);
  if (whole.length <= maxReportBytes) return { bytes: whole, omittedClaims: 0 };
  const byAge = claims.toSorted((a, b) => a.since - b.since || compareAddresses(a.address, b.address));
  const oldest = (count: number) => {
    const kept = new Set(byAge.slice(0, count));
    return write(
      report,
      claims.filter((claim) => kept.has(claim)),
    );
  };
  let fitting = 0;
  for (let step = 2 ** 31; step >= 1; step /= 2) {
    if (fitting + step < claims.length && oldest(fitting + step).length <= maxReportBytes) fitting += step;
  }
  return { bytes: oldest(fitting), omittedClaims: claims.length - fitting };
}

/** Undefined when it is anything else: it comes from the network, and may be of another version. Never throws. */
export function decodeNodeReport(bytes: Uint8Array): NodeReport | undefined {
  if (bytes.length > maxReportBytes) return undefined;
  const reader = new ByteReader(bytes);
  if (reader.byte() !== version) return undefined;
  const flags = reader.byte();
  const node = reader.text(maxNameBytes);
  const saidAt = reader.number(maxTime);
  const startedAt = reader.number(maxTime);
  const restartingUntil = (flags & flag.restarting) === 0 ? undefined : reader.number(maxTime);
  const interfaces = (flags & flag.interfaces) === 0 ? undefined : readInterfaces(reader);
  const claims = readClaims(reader, saidAt);
  if (reader.failed) return undefined;
  const draining = (flags & flag.draining) !== 0;
  return { node, saidAt, startedAt, interfaces, draining, restartingUntil, claims };
}

/** Of an address that is there twice the older claim counts. */
function canonical(claims: readonly Claim[]): readonly Claim[] {
  const whole = claims.map(({ address, since }) => ({ address, since: Math.trunc(since) }));
  const sorted = whole.sort((a, b) => compareAddresses(a.address, b.address) || a.since - b.since);
  return sorted.filter(({ address }, index) => {
    const before = sorted[index - 1];
    return before === undefined || !sameAddress(before.address, address);
  });
}

function write(report: NodeReport, claims: readonly Claim[]): Uint8Array {
  const { node, saidAt, startedAt, interfaces, draining, restartingUntil } = report;
  const told = interfaces !== undefined && fits(interfaces) ? interfaces : undefined;
  const writer = new ByteWriter();
  writer.byte(version);
  writer.byte(
    (draining ? flag.draining : 0) |
      (restartingUntil === undefined ? 0 : flag.restarting) |
      (told === undefined ? 0 : flag.interfaces),
  );
  writer.text(node);
  writer.number(Math.trunc(saidAt));
  writer.number(Math.trunc(startedAt));
  if (restartingUntil !== undefined) writer.number(Math.trunc(restartingUntil));
  if (told !== undefined) writeInterfaces(writer, told);
  writeClaims(writer, claims, Math.trunc(saidAt));
  return writer.bytes();
}

/** A part of them would read as if the others were not there. */
function fits(interfaces: readonly NodeInterface[]): boolean {
  return interfaces.length <= maxInterfaces && interfaces.every(({ prefixes }) => prefixes.length <= maxPrefixes);
}

function writeInterfaces(writer: ByteWriter, interfaces: readonly NodeInterface[]): void {
  writer.number(interfaces.length);
  for (const { name, up, onlyByName, mac, prefixes } of interfaces.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    writer.text(name);
    const bytes = mac === undefined ? [] : mac.split(':').map((byte) => Number.parseInt(byte, 16));
    const macFlag = bytes.length === 6 ? interfaceFlag.mac : 0;
    writer.byte((up ? interfaceFlag.up : 0) | (onlyByName ? interfaceFlag.onlyByName : 0) | macFlag);
    if (macFlag !== 0) writer.raw(bytes);
    writer.number(prefixes.length);
    for (const { family, value, length } of prefixes.toSorted(comparePrefixes)) {
      writer.byte(family);
      writer.byte(length);
      writer.big(value >> BigInt(addressBits[family] - length));
    }
  }
}

function readInterfaces(reader: ByteReader): readonly NodeInterface[] {
  return readList(reader, reader.number(maxInterfaces), () => {
    const name = reader.text(maxInterfaceNameBytes);
    const flags = reader.byte();
    const mac = (flags & interfaceFlag.mac) === 0 ? undefined : macText(reader.raw(6));
    return {
      name,
      up: (flags & interfaceFlag.up) !== 0,
      ...((flags & interfaceFlag.onlyByName) === 0 ? {} : { onlyByName: true }),
      ...(mac === undefined ? {} : { mac }),
      prefixes: readList(reader, reader.number(maxPrefixes), () => readPrefix(reader)),
    };
  });
}

function readPrefix(reader: ByteReader): Prefix {
  const says = reader.byte();
  const family = says === 4 ? 4 : 6;
  const length = reader.byte();
  const hostBits = addressBits[family] - length;
  if (says === family && hostBits >= 0)
    return { family, length, value: reader.big((1n << BigInt(length)) - 1n) << BigInt(hostBits) };
  reader.fail();
  return { family, length: 0, value: 0n };
}

function writeClaims(writer: ByteWriter, claims: readonly Claim[], saidAt: number): void {
  for (const family of families) writer.number(claims.filter(({ address }) => address.family === family).length);
  let time = saidAt;
  for (const family of families) {
    let next = 0n;
    for (const { address, since } of claims) {
      if (address.family !== family) continue;
      writer.big(address.value - next);
      next = address.value + 1n;
      writer.number(since >= time ? 2 * (since - time) : 2 * (time - since) - 1);
      time = since;
    }
  }
}

function readClaims(reader: ByteReader, saidAt: number): readonly Claim[] {
  const counts = families.map(() => reader.number(maxClaims));
  let time = saidAt;
  return families.flatMap((family, index) => {
    const last = (1n << BigInt(addressBits[family])) - 1n;
    let next = 0n;
    return readList(reader, counts[index] ?? 0, () => {
      if (next > last) reader.fail();
      const address: Address = { family, value: next + reader.big(last - next) };
      next = address.value + 1n;
      const step = reader.number(2 * maxTime);
      time += step % 2 === 0 ? step / 2 : -(step + 1) / 2;
      if (time < 0 || time > maxTime) reader.fail();
      return { address, since: time };
    });
  });
}

const families: readonly Family[] = [4, 6];

/** Ends early when the bytes do: a count is only what somebody says. */
function readList<T>(reader: ByteReader, count: number, readOne: () => T): readonly T[] {
  const list: T[] = [];
  while (list.length < count && !reader.failed) list.push(readOne());
  return list;
}

function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareAddresses(a, b) || a.length - b.length;
}

function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
