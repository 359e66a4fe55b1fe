import { type Address, formatAddress } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import type { Store } from '../kubernetes/store.ts';
import { type Claimant, retryInterval } from '../layer2/address-probe.ts';
import type { Announcer } from '../layer2/announcer.ts';
import type { ConflictEvent } from '../layer2/responder.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Sibling, Siblings } from './siblings.ts';

/**
 * How long a speaker that was lost from the ring may claim an address before that is a fault, in milliseconds. After a
 * hang or a partition it is back in the ring within 5 s: see `src/liveness`.
 */
const returnTime = 6_000;
/** DEFEND_INTERVAL of RFC 5227 section 1.1, in milliseconds. */
const defendInterval = 10_000;

export type ConflictsOptions = {
  readonly announcer: Pick<Announcer, 'claimed' | 'isHeld' | 'defend' | 'servicesOf'>;
  readonly services: Pick<Store<Service>, 'get'>;
  readonly siblings: Pick<Siblings, 'find' | 'hostAt'>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly node: string;
  /** A living speaker announces an address that is ours, too. */
  readonly onHandover?: (node: string, address: Address) => void;
  readonly clock: Clock;
  readonly log: Logger;
};

/**
 * What becomes of a claim by another host that it has one of our addresses. From a speaker in the ring it is a handover
 * under way. From anybody else it is a fault that people are told of, on the Services concerned; and a stranger is told
 * by one announcement that the address is here (RFC 5227 section 2.4).
 */
export class Conflicts {
  readonly #options: ConflictsOptions;
  /** When an address was last defended, by its text, the longest ago first. Older than the interval is forgotten. */
  readonly #defended = new Map<string, number>();
  /** Claims by lost speakers that are looked at again. As many as the responder tells of in that time. */
  readonly #waiting = new Set<Timer>();

  constructor(options: ConflictsOptions) {
    this.#options = options;
  }

  /** As the responder tells it: once in a while for the same claim. */
  claimed(event: ConflictEvent): void {
    const { siblings, clock } = this.#options;
    const isLost = siblings.find(event.mac)?.alive === false;
    if (!isLost || siblings.hostAt(formatAddress(event.address)) !== undefined) {
      this.#judge(event);
      return;
    }
    const timer = clock.after(returnTime, () => {
      this.#waiting.delete(timer);
      this.#judge(event);
    });
    this.#waiting.add(timer);
  }

  /** Nothing is told or defended later. Idempotent. */
  close(): void {
    for (const timer of this.#waiting) timer.cancel();
    this.#waiting.clear();
  }

  #judge({ address, mac, name }: ConflictEvent): void {
    const { announcer, siblings, node, log } = this.#options;
    const ip = formatAddress(address);
    const by = { mac, interface: name };
    const sibling = siblings.find(mac);
    // The address of a node itself is no Service's to hand over.
    if (sibling?.alive && siblings.hostAt(ip) === undefined) {
      // Should it last, one of the two has not heard what the other has, and gossip will settle it.
      log.info('address claimed by another speaker', this.#fields(address, by, sibling));
      this.#options.onHandover?.(sibling.node, address);
      return;
    }
    announcer.claimed(address, by);
    const services = announcer.servicesOf(address);
    if (services.length === 0 || announcer.isHeld(address)) return;
    log.warn('address conflict', { ...this.#fields(address, by, sibling), services });
    const fault = `${ip} is announced from node "${node}", but ${claimantText(by, sibling)} claims it, too`;
    this.#tell(services, 'AddressConflict', `${fault}. ${this.#remedy(ip, sibling)}`);
    // Between two speakers it would go back and forth, and a node needs its own address more than we do.
    if (sibling === undefined) this.#defend(address);
  }

  /** A newly assigned address is not announced; `again` when the same claimant was told of before. */
  refused(address: Address, by: Claimant, again: boolean): void {
    const { announcer, siblings, node, log } = this.#options;
    const sibling = siblings.find(by.mac);
    const services = announcer.servicesOf(address);
    const fields = { ...this.#fields(address, by, sibling), services };
    if (again) log.debug('address still in use', fields);
    else log.warn('address in use', fields);
    const ip = formatAddress(address);
    const fault = `${ip} is not announced from node "${node}", because ${claimantText(by, sibling)} has it already`;
    const next = `Whether it still has is asked again in ${retryInterval / 1_000} s`;
    this.#tell(services, 'AddressInUse', `${fault}. ${next}. ${this.#remedy(ip, sibling)}`);
  }

  #defend(address: Address): void {
    const { announcer, clock } = this.#options;
    const now = clock.now();
    for (const [old, at] of this.#defended) {
      if (now - at < defendInterval) break;
      this.#defended.delete(old);
    }
    const text = formatAddress(address);
    if (this.#defended.has(text)) return;
    this.#defended.set(text, now);
    announcer.defend(address);
  }

  #tell(keys: readonly string[], reason: string, message: string): void {
    const { services, events } = this.#options;
    for (const key of keys) {
      const service = services.get(key);
      if (service !== undefined) events.record(service, { type: 'Warning', reason, message });
    }
  }

  #remedy(address: string, sibling: Sibling | undefined): string {
    const lost = sibling?.alive === false && this.#options.siblings.hostAt(address) === undefined;
    return lost
      ? 'Its speaker is not in the gossip ring: see why the speakers of the two nodes do not hear each other'
      : `Give that host another address, or take ${address} out of the address pool`;
  }

  #fields(address: Address, by: Claimant, sibling: Sibling | undefined) {
    const fields = { address: formatAddress(address), ...by };
    return sibling === undefined ? fields : { ...fields, speaker: sibling.node };
  }
}

function claimantText({ mac, interface: name }: Claimant, sibling: Sibling | undefined): string {
  const who = sibling === undefined ? 'the host' : `node "${sibling.node}"`;
  return `${who} with MAC address ${mac}, heard on interface ${name},`;
}
