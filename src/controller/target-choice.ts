import { type Address, compareAddresses, formatAddress, sameAddress } from '../ip/address.ts';
import type { ObjectKey } from '../kubernetes/resource.ts';

/** Verified: announced, and found to be so. Silent: nobody announces it. */
export type Standing = 'verified' | 'unverified' | 'silent';

export type TargetFacts = {
  /** The addresses that the Service has. */
  readonly assigned: readonly Address[];
  /** The targets as they were written last; empty for none yet. */
  readonly current: readonly Address[];
  readonly standingOf: (address: Address) => Standing;
  /** Whether another Service has an address that this one has no more. */
  readonly isElsewhere: (address: Address) => boolean;
  /** By `clock.now()`. */
  readonly now: number;
};

export type Choice = {
  /** Sorted. Empty only when there is nothing good to name, and never was. */
  readonly targets: readonly Address[];
  /** Nothing is verified, and has not been for longer than is waited for: the targets are the last good ones. */
  readonly isStarved: boolean;
  /** In how many milliseconds it may be another choice, though nothing else changes. */
  readonly again: number | undefined;
};

/**
 * Chooses the targets of Services. An address that is verified becomes one at once. One that is not any more stays for
 * the grace, in which another node may take it over: clients that wait for a failover shall not meet a rewritten name.
 * The last target stays, because a name without addresses is worse than one that may come back.
 */
export class TargetChoice {
  /** For how long an address stays that is not verified any more; milliseconds. */
  readonly #grace: number;
  /** Service → the text of an address that is not verified → when that was first seen, by `clock.now()`. */
  readonly #since = new Map<ObjectKey, ReadonlyMap<string, number>>();

  constructor(grace: number) {
    this.#grace = grace;
  }

  choose(service: ObjectKey, { assigned, current, standingOf, isElsewhere, now }: TargetFacts): Choice {
    const has = (address: Address) => assigned.some((one) => sameAddress(one, address));
    const isTarget = (address: Address) => current.some((one) => sameAddress(one, address));
    const verified = assigned.filter((address) => standingOf(address) === 'verified');
    const others = assigned.filter((address) => !verified.includes(address));
    const since = this.#unverifiedSince(service, others, now);
    const left = (address: Address) => (since.get(formatAddress(address)) ?? now) + this.#grace - now;
    const waiting = others.filter((address) => left(address) > 0);
    const targets = [...verified, ...waiting.filter(isTarget)];
    const again = waiting.length === 0 ? undefined : Math.min(...waiting.map(left));
    if (targets.length > 0) return { targets: targets.sort(compareAddresses), isStarved: false, again };
    const kept = current.filter((address) => has(address) || !isElsewhere(address));
    const isStarved = waiting.length === 0 && assigned.length + kept.length > 0;
    return { targets: kept.toSorted(compareAddresses), isStarved, again };
  }

  /** Of Services that ask for nothing any more. */
  forget(service: ObjectKey): void {
    this.#since.delete(service);
  }

  #unverifiedSince(service: ObjectKey, addresses: readonly Address[], now: number): ReadonlyMap<string, number> {
    const before = this.#since.get(service);
    const texts = addresses.map(formatAddress);
    const since = new Map(texts.map((text) => [text, before?.get(text) ?? now]));
    if (since.size === 0) this.#since.delete(service);
    else this.#since.set(service, since);
    return since;
  }
}
