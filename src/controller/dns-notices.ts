import { dnsAnnotations, readWritten } from '../api/dns-annotations.ts';
import { type Address, formatAddress } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import { keyOf, type ObjectKey } from '../kubernetes/resource.ts';
import type { Logger } from '../runtime/logger.ts';

const complaints = ['DNSTargetsInvalid', 'DNSTargetsNotVerified', 'DNSEndpointNotServed', 'DNSEndpointTaken'] as const;

export type DnsComplaint = (typeof complaints)[number];

export type DnsNoticesOptions = { readonly events: Pick<EventRecorder, 'record'>; readonly log: Logger };

/** Tells people of the DNS targets of Services. */
export class DnsNotices {
  readonly #options: DnsNoticesOptions;
  /** Service and complaint → how it was put last. */
  readonly #told = new Map<string, string>();

  constructor(options: DnsNoticesOptions) {
    this.#options = options;
  }

  /** What stands against the Service's wish, or undefined for nothing. It is told once as long as it is the same. */
  complain(service: Service, reason: DnsComplaint, message: string | undefined): void {
    const { events, log } = this.#options;
    const key = keyOf(service);
    const id = idOf(key, reason);
    if (message === undefined) this.#told.delete(id);
    if (message === undefined || this.#told.get(id) === message) return;
    this.#told.set(id, message);
    log.warn('dns targets not as asked for', { service: key, reason, message });
    events.record(service, { type: 'Warning', reason, message });
  }

  /** The Service, as it was before, has had this written; undefined: nothing. */
  changed(service: Service, written: string | undefined): void {
    const { events, log } = this.#options;
    const before = service.metadata.annotations?.[dnsAnnotations.written];
    if (written === before) return;
    const [targets, former] = [namesIn(written), namesIn(before)];
    log.info('dns targets', { service: keyOf(service), targets, former });
    const message = `DNS targets are ${targets || 'none'}, after ${former || 'none'}`;
    events.record(service, { type: 'Normal', reason: 'DNSTargets', message });
  }

  /** Of Services that ask for nothing any more. */
  forget(service: ObjectKey): void {
    for (const reason of complaints) this.#told.delete(idOf(service, reason));
  }
}

/** Why nothing of what the Service has been given is a target, and what is. */
export function starvationOf(assigned: readonly Address[], targets: readonly Address[]): string {
  const names = assigned.map(formatAddress).join(', ');
  const what = names === '' ? 'it has no address' : `none of ${names} is announced and verified`;
  const kept = targets.map(formatAddress).join(', ');
  const stay = kept === '' ? 'there are no DNS targets' : `${kept}, the last good, stay`;
  return `${what}, so ${stay}: see the ServiceL2Statuses and BGPSessionStatuses of the speakers`;
}

function idOf(service: ObjectKey, reason: DnsComplaint): string {
  return `${service}\n${reason}`;
}

function namesIn(written: string | undefined): string {
  const addresses = readWritten({ [dnsAnnotations.written]: written ?? '' })?.addresses ?? [];
  return addresses.map(formatAddress).join(', ');
}
