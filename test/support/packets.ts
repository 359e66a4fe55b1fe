import { addressBytes, addressFromBytes, formatAddress, parseAddress } from '../../src/ip/address.ts';

/**
 * Ethernet, ARP (RFC 826) and Neighbour Discovery (RFC 4861) frames, written and read independently of native/, so
 * that native code is never its own judge. `readFrame(writeFrame(frame))` is `frame`. MAC and IP addresses are text.
 * Wrong frames are made by giving wrong values to a factory, or by editing the bytes.
 */
export type Frame = ArpFrame | NdpFrame | OtherFrame;

export type VlanTag = { readonly protocol: number; readonly vid: number };

type Link = { readonly destination: string; readonly source: string; readonly tags: readonly VlanTag[] };

export type ArpFrame = Link & {
  readonly kind: 'arp';
  readonly hardwareType: number;
  readonly protocolType: number;
  readonly hardwareLength: number;
  readonly protocolLength: number;
  readonly operation: number;
  readonly senderMac: string;
  readonly senderAddress: string;
  readonly targetMac: string;
  readonly targetAddress: string;
  readonly trailer: Uint8Array;
};

export type NdpFrame = Link & {
  readonly kind: 'ndp';
  readonly from: string;
  readonly to: string;
  readonly hopLimit: number;
  /** An 8-byte Hop-by-Hop extension header (RFC 8200 section 4.3) of padding stands before ICMPv6. */
  readonly hopByHop: boolean;
  readonly type: number;
  readonly code: number;
  readonly checksum: number | 'correct';
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
  readonly target: string;
  readonly options: readonly NdpOption[];
  readonly trailer: Uint8Array;
};

/** `units` is the length field, in 8 bytes; only a malformed option states it, otherwise it follows from the data. */
export type NdpOption = { readonly type: number; readonly data: Uint8Array; readonly units?: number };

export type OtherFrame = Link & { readonly kind: 'other'; readonly etherType: number; readonly payload: Uint8Array };

export const arpOperation = { request: 1, reply: 2 } as const;
export const ndpType = { solicitation: 135, advertisement: 136 } as const;
export const ndpOption = { sourceLinkLayer: 1, targetLinkLayer: 2, nonce: 14 } as const;
export const broadcastMac = 'ff:ff:ff:ff:ff:ff';
export const zeroMac = '00:00:00:00:00:00';
export const allNodes = 'ff02::1';

const etherType = { arp: 0x0806, ipv6: 0x86dd, vlan: 0x8100, serviceVlan: 0x88a8 } as const;
const nextHeader = { hopByHop: 0, icmpv6: 58 } as const;
const ethernetLength = 14;
const arpLength = 28;
const ipv6Length = 40;
const hopByHopLength = 8;
const neighborMessageLength = 24;
const noBytes = new Uint8Array(0);

/** "Who has `targetAddress`?", broadcast by `senderMac`. */
export function arpRequest(
  fields: Pick<ArpFrame, 'senderMac' | 'senderAddress' | 'targetAddress'> & Partial<ArpFrame>,
): ArpFrame {
  return {
    kind: 'arp',
    destination: broadcastMac,
    source: fields.senderMac,
    tags: [],
    hardwareType: 1,
    protocolType: 0x0800,
    hardwareLength: 6,
    protocolLength: 4,
    operation: arpOperation.request,
    targetMac: zeroMac,
    trailer: noBytes,
    ...fields,
  };
}

/** A Neighbour Solicitation as RFC 4861 section 7.2.2 wants it: multicast, with the sender's link-layer address. */
export function neighborSolicitation(
  fields: Pick<NdpFrame, 'source' | 'from' | 'target'> & Partial<NdpFrame>,
): NdpFrame {
  const to = fields.to ?? solicitedNodeGroup(fields.target);
  return {
    kind: 'ndp',
    destination: to.startsWith('ff') ? multicastMac(to) : broadcastMac,
    tags: [],
    to,
    hopLimit: 255,
    hopByHop: false,
    type: ndpType.solicitation,
    code: 0,
    checksum: 'correct',
    router: false,
    solicited: false,
    override: false,
    options: fields.from === '::' ? [] : [linkLayerOption(ndpOption.sourceLinkLayer, fields.source)],
    trailer: noBytes,
    ...fields,
  };
}

export function linkLayerOption(type: number, mac: string): NdpOption {
  return { type, data: macBytes(mac) };
}

/** The link-layer address in the first option of `type`; undefined without one. */
export function linkLayerAddress(frame: NdpFrame, type: number): string | undefined {
  const option = frame.options.find((each) => each.type === type);
  return option && macText(option.data);
}

/** RFC 4291 section 2.7.1. */
export function solicitedNodeGroup(address: string): string {
  const low = ipBytes(address, 16).subarray(13);
  return ipText(Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...low));
}

/** RFC 2464 section 7. */
export function multicastMac(group: string): string {
  return macText(Uint8Array.of(0x33, 0x33, ...ipBytes(group, 16).subarray(12)));
}

export function writeFrame(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case 'arp':
      return writeLink(frame, etherType.arp, writeArp(frame));
    case 'ndp':
      return writeLink(frame, etherType.ipv6, writeNdp(frame));
    case 'other':
      return writeLink(frame, frame.etherType, frame.payload);
    default:
      return frame satisfies never;
  }
}

/** Undefined for what is shorter than an Ethernet header. What is not a whole ARP or NDP frame is `other`. */
export function readFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < ethernetLength) return undefined;
  const tags: VlanTag[] = [];
  let at = 12;
  let type = u16(bytes, at);
  while ((type === etherType.vlan || type === etherType.serviceVlan) && at + 6 <= bytes.length) {
    tags.push({ protocol: type, vid: u16(bytes, at + 2) & 0x0fff });
    at += 4;
    type = u16(bytes, at);
  }
  const link = { destination: macText(bytes.subarray(0, 6)), source: macText(bytes.subarray(6, 12)), tags };
  const payload = bytes.slice(at + 2);
  return (
    (type === etherType.arp ? readArp(link, payload) : undefined) ??
    (type === etherType.ipv6 ? readNdp(link, payload) : undefined) ?? {
      ...link,
      kind: 'other',
      etherType: type,
      payload,
    }
  );
}

/** One line for people, then the bytes: what a failed assertion shows. */
export function describeFrame(bytes: Uint8Array): string {
  const frame = readFrame(bytes);
  const hex = Array.from({ length: Math.ceil(bytes.length / 16) }, (_, row) => {
    const line = Array.from(bytes.subarray(row * 16, row * 16 + 16), (byte) => byte.toString(16).padStart(2, '0'));
    return `    ${(row * 16).toString(16).padStart(4, '0')}  ${line.join(' ')}`;
  });
  return [frame ? `${summary(frame)}, ${bytes.length} bytes` : `${bytes.length} bytes, no Ethernet`, ...hex].join('\n');
}

function summary(frame: Frame): string {
  const tags = frame.tags.map((tag) => ` vlan ${tag.vid} (0x${tag.protocol.toString(16)})`).join('');
  return `${frame.source} > ${frame.destination}${tags} ${body(frame)}`;
}

function body(frame: Frame): string {
  switch (frame.kind) {
    case 'arp': {
      const sender = `${frame.senderAddress} (${frame.senderMac})`;
      const target = `${frame.targetAddress} (${frame.targetMac})`;
      return `ARP op ${frame.operation}: sender ${sender}, target ${target}`;
    }
    case 'ndp': {
      const flags = `${frame.router ? 'R' : ''}${frame.solicited ? 'S' : ''}${frame.override ? 'O' : ''}` || 'none';
      const options = frame.options.map((each) => `${each.type}=${macText(each.data)}`).join(' ') || 'none';
      const checksum = frame.checksum === 'correct' ? '' : ', WRONG CHECKSUM';
      const name = frame.type === ndpType.solicitation ? 'NS' : 'NA';
      return `${name} ${frame.from} > ${frame.to}: target ${frame.target}, flags ${flags}, options ${options}${checksum}`;
    }
    case 'other':
      return `ethertype 0x${frame.etherType.toString(16).padStart(4, '0')}`;
    default:
      return frame satisfies never;
  }
}

function writeLink(link: Link, type: number, payload: Uint8Array): Uint8Array {
  const tags = link.tags.flatMap((tag) => [...be16(tag.protocol), ...be16(tag.vid)]);
  return Uint8Array.of(...macBytes(link.destination), ...macBytes(link.source), ...tags, ...be16(type), ...payload);
}

function writeArp(frame: ArpFrame): Uint8Array {
  return Uint8Array.of(
    ...be16(frame.hardwareType),
    ...be16(frame.protocolType),
    frame.hardwareLength,
    frame.protocolLength,
    ...be16(frame.operation),
    ...macBytes(frame.senderMac),
    ...ipBytes(frame.senderAddress, 4),
    ...macBytes(frame.targetMac),
    ...ipBytes(frame.targetAddress, 4),
    ...frame.trailer,
  );
}

function readArp(link: Link, payload: Uint8Array): ArpFrame | undefined {
  if (payload.length < arpLength) return undefined;
  return {
    ...link,
    kind: 'arp',
    hardwareType: u16(payload, 0),
    protocolType: u16(payload, 2),
    hardwareLength: u8(payload, 4),
    protocolLength: u8(payload, 5),
    operation: u16(payload, 6),
    senderMac: macText(payload.subarray(8, 14)),
    senderAddress: ipText(payload.subarray(14, 18)),
    targetMac: macText(payload.subarray(18, 24)),
    targetAddress: ipText(payload.subarray(24, 28)),
    trailer: payload.slice(arpLength),
  };
}

function writeNdp(frame: NdpFrame): Uint8Array {
  const flags = (frame.router ? 0x80 : 0) | (frame.solicited ? 0x40 : 0) | (frame.override ? 0x20 : 0);
  const options = frame.options.flatMap((each) => {
    const units = Math.ceil((2 + each.data.length) / 8);
    const padding = new Uint8Array(units * 8 - 2 - each.data.length);
    return [each.type, each.units ?? units, ...each.data, ...padding];
  });
  const message = Uint8Array.of(
    ...[frame.type, frame.code, 0, 0],
    ...[flags, 0, 0, 0],
    ...ipBytes(frame.target, 16),
    ...options,
  );
  const from = ipBytes(frame.from, 16);
  const to = ipBytes(frame.to, 16);
  const checksum = frame.checksum === 'correct' ? icmpv6Checksum(from, to, message) : frame.checksum;
  message.set(be16(checksum), 2);
  const extension = frame.hopByHop ? [nextHeader.icmpv6, 0, 1, 4, 0, 0, 0, 0] : [];
  return Uint8Array.of(
    ...[0x60, 0, 0, 0],
    ...be16(extension.length + message.length),
    frame.hopByHop ? nextHeader.hopByHop : nextHeader.icmpv6,
    frame.hopLimit,
    ...from,
    ...to,
    ...extension,
    ...message,
    ...frame.trailer,
  );
}

function readNdp(link: Link, payload: Uint8Array): NdpFrame | undefined {
  if (payload.length < ipv6Length || u8(payload, 0) >> 4 !== 6) return undefined;
  const end = ipv6Length + u16(payload, 4);
  const hopByHop = u8(payload, 6) === nextHeader.hopByHop;
  const start = ipv6Length + (hopByHop ? hopByHopLength : 0);
  if (end > payload.length || end - start < neighborMessageLength) return undefined;
  if ((hopByHop ? u8(payload, ipv6Length) : u8(payload, 6)) !== nextHeader.icmpv6) return undefined;
  const message = payload.slice(start, end);
  const type = u8(message, 0);
  const options = readOptions(message.subarray(neighborMessageLength));
  if ((type !== ndpType.solicitation && type !== ndpType.advertisement) || options === undefined) return undefined;
  const from = payload.subarray(8, 24);
  const to = payload.subarray(24, 40);
  const checksum = u16(message, 2);
  const flags = u8(message, 4);
  message.set([0, 0], 2);
  return {
    ...link,
    kind: 'ndp',
    from: ipText(from),
    to: ipText(to),
    hopLimit: u8(payload, 7),
    hopByHop,
    type,
    code: u8(message, 1),
    checksum: checksum === icmpv6Checksum(from, to, message) ? 'correct' : checksum,
    router: (flags & 0x80) !== 0,
    solicited: (flags & 0x40) !== 0,
    override: (flags & 0x20) !== 0,
    target: ipText(message.subarray(8, 24)),
    options,
    trailer: payload.slice(end),
  };
}

/** Undefined for an option of length zero or one that runs past the message (RFC 4861 section 4.6). */
function readOptions(bytes: Uint8Array): NdpOption[] | undefined {
  const options: NdpOption[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = at + 1 < bytes.length ? u8(bytes, at + 1) * 8 : 0;
    if (length === 0 || at + length > bytes.length) return undefined;
    options.push({ type: u8(bytes, at), data: bytes.slice(at + 2, at + length) });
    at += length;
  }
  return options;
}

/** RFC 4443 section 2.3, over the pseudo-header of RFC 8200 section 8.1. The message's own checksum must be zero. */
function icmpv6Checksum(from: Uint8Array, to: Uint8Array, message: Uint8Array): number {
  const odd = message.length % 2 === 1 ? [0] : [];
  const covered = Uint8Array.of(...from, ...to, 0, 0, ...be16(message.length), 0, 0, 0, 58, ...message, ...odd);
  let sum = 0;
  for (let at = 0; at < covered.length; at += 2) sum += u16(covered, at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function macBytes(mac: string): Uint8Array {
  const bytes = Uint8Array.from(mac.split(':'), (part) => Number.parseInt(part, 16));
  if (bytes.length !== 6) throw new Error(`not a MAC address: ${mac}`);
  return bytes;
}

function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function ipBytes(text: string, length: 4 | 16): Uint8Array {
  const address = parseAddress(text);
  const bytes = address && addressBytes(address);
  if (bytes?.length !== length) throw new Error(`not an address of ${length} bytes: ${text}`);
  return bytes;
}

function ipText(bytes: Uint8Array): string {
  const address = addressFromBytes(bytes);
  if (address === undefined) throw new Error(`no address has ${bytes.length} bytes`);
  return formatAddress(address);
}

const be16 = (value: number): [number, number] => [value >>> 8, value & 0xff];
const u8 = (bytes: Uint8Array, at: number): number => bytes[at]!;
const u16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
