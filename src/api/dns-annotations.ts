import { type Address, formatAddress, parseAddress } from '../ip/address.ts';
import { parseDuration } from './duration.ts';
import { type ApiProblem, Field } from './field.ts';
import type { Annotations } from './service-annotations.ts';

/** The annotations of a Service that its DNS targets come from and go to. Those of external-dns have its own names. */
export const dnsAnnotations = {
  /** Read: where the targets are to be written. */
  asked: 'garpoon.io/dns-targets',
  /** Written by the controller: where it has written which targets, so that it takes away nothing of anybody else. */
  written: 'garpoon.io/dns-targets-written',
  /** Written where that is asked for: the addresses that external-dns publishes instead of those of the status. */
  target: 'external-dns.alpha.kubernetes.io/target',
  /** Read: the names, comma-separated. */
  hostname: 'external-dns.alpha.kubernetes.io/hostname',
  /** Read: for how long the records may be remembered. */
  ttl: 'external-dns.alpha.kubernetes.io/ttl',
} as const;

const places = ['annotation', 'endpoint'] as const;

/** The annotation `target` of the Service, or a DNSEndpoint beside it. */
export type DnsPlace = (typeof places)[number];

export type DnsWish =
  | { readonly place: 'annotation' }
  | { readonly place: 'endpoint'; readonly hostnames: readonly string[]; readonly ttl: number | undefined };

/** What has been written, and where. */
export type WrittenTargets = { readonly place: DnsPlace; readonly addresses: readonly Address[] };

/** A Service of many names is one of a few; the records of all of them are one object. */
const maxHostnames = 100;
/** RFC 1035 section 2.3.4, and RFC 2181 section 8. */
const maxHostname = 253;
const maxTtl = 2 ** 31 - 1;
/** Letters, digits, hyphens and underscores; the first label may stand for any; a dot at the end says that it is whole. */
const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const hostnameForm = new RegExp(`^(?:\\*\\.)?(?:${label}\\.)*${label}$`);

type AnnotatedService = {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly annotations?: Annotations };
};

/** Whether something is asked for, or left of what was. */
export function concernsDns(annotations: Annotations = {}): boolean {
  return annotations[dnsAnnotations.asked] !== undefined || annotations[dnsAnnotations.written] !== undefined;
}

/** Undefined when nothing is asked for. Never throws. */
export function readDnsWish(
  service: AnnotatedService,
): DnsWish | undefined | { readonly problems: readonly ApiProblem[] } {
  const { name, namespace } = service.metadata;
  const problems: ApiProblem[] = [];
  const root = Field.root(`Service ${namespace === undefined ? '' : `${namespace}/`}${name}`, service, problems);
  const annotations = root.at('metadata').at('annotations');
  const asked = annotations.entry(dnsAnnotations.asked);
  if (asked.absent) return undefined;
  const place = asked.oneOf(places);
  if (place === 'annotation') return { place };
  if (place === undefined) return { problems };
  const hostnames = readHostnames(annotations.entry(dnsAnnotations.hostname));
  const ttl = readTtl(annotations.entry(dnsAnnotations.ttl));
  return problems.length === 0 ? { place, hostnames, ttl } : { problems };
}

/** `annotation=192.0.2.10,2001:db8::10` */
export function formatWritten({ place, addresses }: WrittenTargets): string {
  return `${place}=${formatTargets(addresses)}`;
}

/** Undefined when nothing has been written, or somebody else has written there. */
export function readWritten(annotations: Annotations = {}): WrittenTargets | undefined {
  const text = annotations[dnsAnnotations.written] ?? '';
  const place = places.find((one) => text.startsWith(`${one}=`));
  if (place === undefined) return undefined;
  const addresses = text.slice(place.length + 1).split(',');
  return { place, addresses: addresses.flatMap((address) => parseAddress(address) ?? []) };
}

export function formatTargets(addresses: readonly Address[]): string {
  return addresses.map(formatAddress).join(',');
}

function readHostnames(field: Field): readonly string[] {
  const text = field.required().text();
  if (text === undefined) return [];
  const names = text.split(',').map((name) => name.trim().toLowerCase().replace(/\.$/, ''));
  const wrong = names.find((name) => name.length > maxHostname || !hostnameForm.test(name));
  if (names.length > maxHostnames) field.refuseAs(names.length, `must be at most ${maxHostnames} names`);
  else if (wrong !== undefined) {
    field.refuseAs(wrong.slice(0, maxHostname), 'must be names of hosts separated by commas, such as www.example.com');
  }
  return [...new Set(names)].sort();
}

/** Whole seconds or a duration, as external-dns reads it; 0 leaves it to the provider. */
function readTtl(field: Field): number | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const seconds = /^\d{1,10}$/.test(text) ? Number(text) : Math.trunc((parseDuration(text) ?? Number.NaN) / 1_000);
  if (seconds <= maxTtl) return seconds === 0 ? undefined : seconds;
  field.refuse(`must be a number of seconds, at most ${maxTtl}, or a duration such as 90s or 5m`);
  return undefined;
}
