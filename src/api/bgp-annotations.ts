import { compareAddresses } from '../ip/address.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../ip/prefix.ts';
import type { Field } from './field.ts';

/** The annotations of a BGPPeer that we read: what there is beyond its spec, off unless asked for. */
const peerAnnotations = {
  ttlSecurity: 'garpoon.io/ttl-security',
  passive: 'garpoon.io/passive',
  sourceAddressFrom: 'garpoon.io/source-address-from',
  allowedPrefixes: 'garpoon.io/allowed-prefixes',
} as const;

/** Those of a BGPAdvertisement. */
const advertisementAnnotations = {
  med: 'garpoon.io/med',
  prepend: 'garpoon.io/as-path-prepend',
} as const;

export type PeerOptions = {
  /** How many hops the peer is away at most: packets from farther away are dropped (RFC 5082). Undefined: not looked at. */
  readonly ttlSecurity: number | undefined;
  /** Whether the peer is the one to connect. */
  readonly passive: boolean;
  /** Where each node finds its own source address. */
  readonly sourceAddressFrom: AddressSource | undefined;
  /** The peer is told of nothing that is not within one of them; sorted, each once. Undefined: of anything. */
  readonly allowedPrefixes: readonly Prefix[] | undefined;
};

/** The addresses of an interface, or those within one of the prefixes, which are sorted, each once. */
export type AddressSource = { readonly interface: string } | { readonly prefixes: readonly Prefix[] };

export type AdvertisementOptions = {
  /** MULTI_EXIT_DISC; undefined: the speaker's own. */
  readonly med: number | undefined;
  /** How many times more than once our AS is in the path; undefined: not at all. */
  readonly prepend: number | undefined;
};

const maxHops = 254;
const maxMed = 2 ** 32 - 1;
const maxPrepend = 10;
const maxPrefixes = 1_000;
/** As in deploy/crds: what Linux takes, in ASCII, and no glob. */
const interfaceName = /^\.{0,2}[!-)+,\-0-9;->@-Z\\-~][!-)+-.0-9;->@-Z\\-~]*$/;
const maxInterfaceName = 15;

/** Whether an interface or a VRF may be called that. */
export function isInterfaceName(text: string): boolean {
  return text.length <= maxInterfaceName && interfaceName.test(text);
}

/** Reads `metadata.annotations`. A bad value is refused like a bad field. */
export function readPeerOptions(annotations: Field): PeerOptions {
  const at = (key: keyof typeof peerAnnotations) => annotations.entry(peerAnnotations[key]);
  return {
    ttlSecurity: readNumber(at('ttlSecurity'), 1, maxHops),
    passive: at('passive').oneOf(['true', 'false']) === 'true',
    sourceAddressFrom: readAddressSource(at('sourceAddressFrom')),
    allowedPrefixes: readPrefixes(at('allowedPrefixes')),
  };
}

export function readAdvertisementOptions(annotations: Field): AdvertisementOptions {
  const at = (key: keyof typeof advertisementAnnotations) => annotations.entry(advertisementAnnotations[key]);
  return { med: readNumber(at('med'), 0, maxMed), prepend: readNumber(at('prepend'), 0, maxPrepend) || undefined };
}

/** A source address that the spec has as well, or that has no say there, is somebody's mistake. */
export function checkAddressSource(annotations: Field, spec: Field): void {
  const field = annotations.entry(peerAnnotations.sourceAddressFrom);
  if (field.absent) return;
  if (spec.at('sourceAddress').text()) field.refuse('is there beside spec.sourceAddress: remove one of the two');
  if (spec.at('interface').text()) {
    field.refuse('has no effect with spec.interface, where the source is the link-local address: remove it');
  }
}

/** Annotations are texts. */
function readNumber(field: Field, least: number, most: number): number | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  field.refuse(`must be a whole number from ${least} to ${most}`);
  return undefined;
}

function readAddressSource(field: Field): AddressSource | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  if (text.includes('/')) return { prefixes: readPrefixes(field) ?? [] };
  if (!isInterfaceName(text)) field.refuse('is neither an interface nor a CIDR: write eth1, or 192.0.2.0/24');
  return { interface: text };
}

/** An empty list would say that nothing is allowed, which nobody writes that way. */
function readPrefixes(field: Field): readonly Prefix[] | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const entries = text.split(',').map((entry) => entry.trim());
  if (text.trim() === '') field.refuse('is empty: write prefixes such as 192.0.2.0/24, 2001:db8::/32, or remove it');
  if (entries.length > maxPrefixes) field.refuseAs(entries.length, `must have at most ${maxPrefixes} prefixes`);
  const prefixes = new Map<string, Prefix>();
  for (const entry of entries.slice(0, maxPrefixes)) {
    const prefix = parsePrefix(entry);
    if (typeof prefix === 'string') {
      field.refuseAs(entry, 'is no prefix: write them like 192.0.2.0/24, 2001:db8::/32');
    } else if (!isLowest(entry, prefix)) {
      field.refuseAs(entry, `has bits set beyond its length: write ${formatPrefix(prefix)}`);
    } else prefixes.set(formatPrefix(prefix), prefix);
  }
  return [...prefixes.values()].sort((a, b) => compareAddresses(a, b) || a.length - b.length);
}

/** Whether the text names the lowest address of its prefix. */
function isLowest(text: string, { family, value }: Prefix): boolean {
  const whole = parsePrefix(`${text.slice(0, text.indexOf('/'))}/${family === 4 ? 32 : 128}`);
  return typeof whole !== 'string' && whole.value === value;
}
