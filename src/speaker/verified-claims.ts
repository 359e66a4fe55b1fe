import type { Claim } from '../election/claims.ts';
import { type Address, formatAddress } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';
import type { EventRecorder } from '../kubernetes/events.ts';
import type { Store } from '../kubernetes/store.ts';
import type { Announcer } from '../layer2/announcer.ts';
import type { Logger } from '../runtime/logger.ts';
import type { OwnershipMetrics, VerificationOutcome } from './ownership-metrics.ts';
import type { Takeovers } from './takeovers.ts';
import { type AskedClaim, decodeVerification } from './verification-message.ts';

/** Claims whose outcome is remembered; the oldest are forgotten first. */
const maxRemembered = 16_384;

export type VerifiedClaimsOptions = {
  readonly node: string;
  /** As of the bulletins; ours included. */
  readonly claimsOf: (address: string) => readonly Claim[];
  /** The node with this MAC address, as far as is known; ours included. */
  readonly nodeOf: (mac: string) => string | undefined;
  readonly announcer: Pick<Announcer, 'defend' | 'isAnnounced' | 'servicesOf'>;
  readonly takeovers: Pick<Takeovers, 'verified'>;
  readonly services: Pick<Store<Service>, 'get'>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly metrics: Pick<OwnershipMetrics, 'verification'>;
  readonly log: Logger;
};

/**
 * What becomes of what other speakers were told by the LAN about claims of this node. Where it was not this node alone
 * that answered, the address is announced once more, and people are told.
 */
export class VerifiedClaims {
  readonly #options: VerifiedClaimsOptions;
  /** The address's text → the claim that was told of last, and how that ended. */
  readonly #outcomes = new Map<string, { readonly since: number; readonly outcome: VerificationOutcome }>();

  constructor(options: VerifiedClaimsOptions) {
    this.#options = options;
  }

  /** A message of another speaker about what it asked. */
  told(by: string, bytes: Uint8Array): void {
    const message = decodeVerification(bytes);
    const ours = message?.asked.filter((asked) => this.#isOurs(asked)) ?? [];
    if (message === undefined || ours.length === 0) return;
    const outcomes = ours.map((asked) => this.#judge(by, asked));
    const verified = outcomes.filter((outcome) => outcome === 'verified').length;
    const fields = { by, verified, asked: ours.length, claimed: message.claimed };
    if (verified === ours.length) this.#options.log.info('addresses verified', fields);
    else this.#options.log.warn('addresses not verified', fields);
  }

  #isOurs({ address, since }: AskedClaim): boolean {
    const { node, claimsOf, announcer } = this.#options;
    const claim = claimsOf(formatAddress(address)).find((one) => one.node === node);
    return claim !== undefined && Math.trunc(claim.since) === since && announcer.isAnnounced(address);
  }

  #judge(by: string, { address, since, macs }: AskedClaim): VerificationOutcome {
    const { node, nodeOf, takeovers, metrics } = this.#options;
    const others = macs.filter((mac) => nodeOf(mac) !== node);
    const outcome = macs.length === 0 ? 'unanswered' : others.length > 0 ? 'others' : 'verified';
    const text = formatAddress(address);
    const before = this.#outcomes.get(text);
    const isNews = before?.since !== since || (outcome === 'verified' && before.outcome !== 'verified');
    if (!isNews) return outcome;
    this.#outcomes.delete(text);
    this.#outcomes.set(text, { since, outcome });
    for (const oldest of this.#outcomes.keys()) {
      if (this.#outcomes.size <= maxRemembered) break;
      this.#outcomes.delete(oldest);
    }
    metrics.verification(outcome);
    if (outcome === 'verified') takeovers.verified(address, by, macs[0] ?? '');
    else this.#makeGood(by, address, others);
    return outcome;
  }

  #makeGood(by: string, address: Address, others: readonly string[]): void {
    const { node, announcer, services, events } = this.#options;
    announcer.defend(address);
    const ip = formatAddress(address);
    const asked = `${ip} is announced from node "${node}", but when node "${by}" asked the LAN who has it`;
    const message = `${asked}, ${this.#findings(ip, others)}`;
    for (const key of announcer.servicesOf(address)) {
      const service = services.get(key);
      if (service !== undefined) events.record(service, { type: 'Warning', reason: 'NotVerified', message });
    }
  }

  #findings(ip: string, others: readonly string[]): string {
    if (others.length === 0) {
      const causes =
        'a switch or virtual network that drops ARP and neighbour discovery for addresses it does not know';
      return `nobody answered. It has been announced once more. Look between the two nodes for ${causes}`;
    }
    const hosts = others.map((mac) => {
      const node = this.#options.nodeOf(mac);
      return node === undefined ? `a host with MAC address ${mac}` : `node "${node}" with MAC address ${mac}`;
    });
    const remedy = `Where that is no speaker, give it another address, or take ${ip} out of the address pool`;
    return `${hosts.join(' and ')} answered. It has been announced once more. ${remedy}`;
  }
}
