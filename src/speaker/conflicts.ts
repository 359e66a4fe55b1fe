import type { ConflictPolicy } from '../api/layer2-policy.ts';
import { type Claim, resolveClaims } from '../election/claims.ts';
import type { Hash } from '../election/metallb.ts';
import { type Address, formatAddress } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import type { Store } from '../kubernetes/store.ts';
import { type Claimant, retryInterval } from '../layer2/address-probe.ts';
import type { Announcer } from '../layer2/announcer.ts';
import type { ConflictEvent } from '../layer2/responder.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { ConflictRecord } from './conflict-record.ts';
import type { OwnershipMetrics } from './ownership-metrics.ts';
import type { Sibling, Siblings } from './siblings.ts';

/**
 * How long a speaker that was lost from the ring may claim an address before that is a fault, in milliseconds. After a
 * hang or a partition it is back in the ring within 5 s: see `src/liveness`.
 */
const returnTime = 6_000;
/** DEFEND_INTERVAL of RFC 5227 section 1.1, in milliseconds. */
const defendInterval = 10_000;
/** For how long two speakers may both announce an address: as long as a handover may take; milliseconds. */
const handoverTime = 500;

export type ConflictsOptions = {
  readonly announcer: Pick<
    Announcer,
    'claimed' | 'isHeld' | 'defend' | 'servicesOf' | 'giveWay' | 'suspend' | 'isSuspended' | 'resume' | 'isAnnounced'
  >;
  readonly services: Pick<Store<Service>, 'get'>;
  readonly siblings: Pick<Siblings, 'find' | 'hostAt' | 'isAlive'>;
  readonly events: Pick<EventRecorder, 'record'>;
  /** What is done when a stranger claims an address. */
  readonly policy: () => ConflictPolicy;
  /** What the speakers tell of who has the address, ours included; nothing where speakers do not tell. */
  readonly claimsOf?: (address: string) => readonly Claim[];
  readonly hash: Hash;
  readonly metrics: Pick<OwnershipMetrics, 'conflict'>;
  /** What is known of a conflict about an address of these Services has changed. */
  readonly onChange?: (services: Iterable<string>) => void;
  readonly node: string;
  /** A living speaker announces an address that is ours, too. */
  readonly onHandover?: (node: string, address: Address) => void;
  readonly clock: Clock;
  readonly log: Logger;
};

/**
 * What becomes of a claim by another host that it has one of our addresses. From a speaker in the ring it is a handover
 * under way; should that not end, the older claim of the two yields. From anybody else it is a fault that people are told
 * of, on the Services concerned; and a stranger is told by one announcement that the address is here (RFC 5227 section
 * 2.4), unless the policy is another.
 */
export class Conflicts {
  readonly #options: ConflictsOptions;
  /** When an address was last defended, by its text, the longest ago first. Older than the interval is forgotten. */
  readonly #defended = new Map<string, number>();
  /** Claims by speakers that are looked at again. As many as the responder tells of in that time. */
  readonly #waiting = new Set<Timer>();
  /** Those that another speaker has the better claim to, by their texts. */
  readonly #yielded = new Map<string, Address>();
  readonly record: ConflictRecord;

  constructor(options: ConflictsOptions) {
    this.#options = options;
    const { announcer, onChange, clock } = options;
    this.record = new ConflictRecord({ clock, onChange: (address) => onChange?.(announcer.servicesOf(address)) });
  }

  /** As the responder tells it: once in a while for the same claim. */
  claimed(event: ConflictEvent): void {
    const { siblings } = this.#options;
    const isLost = siblings.find(event.mac)?.alive === false;
    if (!isLost || siblings.hostAt(formatAddress(event.address)) !== undefined) {
      this.#judge(event);
      return;
    }
    this.#later(returnTime, () => this.#judge(event));
  }

  /** To be called when other speakers have come or gone, or tell of other claims. */
  look(): void {
    for (const [text, address] of this.#yielded) {
      const { announcer } = this.#options;
      if (announcer.isSuspended(address) && this.#better(text) !== undefined) continue;
      this.#yielded.delete(text);
      this.record.ended(address);
      announcer.resume(address);
    }
  }

  /** Nothing is told or defended later. Idempotent. */
  close(): void {
    for (const timer of this.#waiting) timer.cancel();
    this.#waiting.clear();
    this.record.close();
  }

  #later(delay: number, run: () => void): void {
    const timer = this.#options.clock.after(delay, () => {
      this.#waiting.delete(timer);
      run();
    });
    this.#waiting.add(timer);
  }

  #judge(event: ConflictEvent): void {
    const { address, mac, name } = event;
    const { announcer, siblings, node, policy, log } = this.#options;
    const ip = formatAddress(address);
    const by = { mac, interface: name };
    const sibling = siblings.find(mac);
    // The address of a node itself is no Service's to hand over.
    if (sibling?.alive && siblings.hostAt(ip) === undefined) {
      log.info('address claimed by another speaker', this.#fields(address, by, sibling));
      this.#options.onHandover?.(sibling.node, address);
      if (sibling.node !== node) this.#later(handoverTime, () => this.#settle(address, by, sibling));
      return;
    }
    announcer.claimed(address, by);
    const services = announcer.servicesOf(address);
    if (services.length === 0) return;
    this.#count(address, by, sibling);
    if (announcer.isHeld(address) || announcer.isSuspended(address)) return;
    const reaction = sibling === undefined ? policy() : 'report';
    log.warn('address conflict', { ...this.#fields(address, by, sibling), services });
    const fault = `${ip} is announced from node "${node}", but ${claimantText(by, sibling)} claims it, too`;
    const next = reaction === 'yield' ? 'This node gives way, as onConflict: yield says. ' : '';
    this.#tell(services, 'AddressConflict', `${fault}. ${next}${this.#remedy(ip, sibling)}`);
    switch (reaction) {
      case 'defend':
        this.#defend(address);
        break;
      case 'yield':
        announcer.giveWay(address, by);
        break;
      // Between two speakers it would go back and forth, and a node needs its own address more than we do.
      case 'report':
        break;
      default:
        throw new TypeError(`no policy ${reaction satisfies never}`);
    }
  }

  /** Two living speakers have announced an address for longer than a handover takes: the newest claim has it. */
  #settle(address: Address, by: Claimant, sibling: Sibling): void {
    const { announcer, siblings, node, claimsOf, log } = this.#options;
    const ip = formatAddress(address);
    const isOver = !announcer.isAnnounced(address) || siblings.find(by.mac)?.alive !== true;
    if (isOver || !claimsOf?.(ip).some((claim) => claim.node === sibling.node)) return;
    const better = this.#better(ip);
    const isNews = this.#count(address, by, sibling);
    const winner = better ?? node;
    if (isNews) {
      log.warn('address announced by two speakers', { ...this.#fields(address, by, sibling), keeps: winner });
      const fault = `${ip} is announced from node "${node}" and from node "${sibling.node}"`;
      const end = `Node "${winner}" keeps it, whose claim is the newest, and the other yields`;
      const cause = 'One of the two speakers knows something that the other does not: compare their logs';
      this.#tell(announcer.servicesOf(address), 'AddressConflict', `${fault}. ${end}. ${cause}`);
    }
    if (better === undefined) {
      this.#defend(address);
      return;
    }
    this.#yielded.set(ip, address);
    announcer.suspend(address);
  }

  /** The node with a better claim to the address than ours; undefined: there is none. */
  #better(ip: string): string | undefined {
    const { claimsOf, hash, node, siblings } = this.#options;
    const best = resolveClaims(ip, claimsOf?.(ip) ?? [], (name) => name === node || siblings.isAlive(name), hash);
    return best === undefined || best.node === node ? undefined : best.node;
  }

  /** Whether that is news. */
  #count(address: Address, by: Claimant, sibling: Sibling | undefined): boolean {
    const isNews = this.record.heard(address, sibling === undefined ? by : { ...by, node: sibling.node });
    if (isNews) this.#options.metrics.conflict(sibling === undefined ? 'stranger' : 'speaker');
    return isNews;
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
