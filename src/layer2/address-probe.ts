import { type Address, formatAddress } from '../ip/address.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Responder } from './responder.ts';

/** Who else says that an address is his: a MAC address, heard on an interface. */
export type Claimant = { readonly mac: string; readonly interface: string };

/** As native/announcement_queue.h: the responder asks three times within 0.7 s. */
const questions = 3;
/** Whoever has not answered by then has had half a second for the last question; milliseconds. */
const listenTime = 1_200;
/** Between one refusal and asking again, ms: the host may have gone, or been given another address. */
export const retryInterval = 30_000;
/** For how long a claim stands, ms: the responder tells of the same one no more often. */
const claimLifetime = 10_000;

/** Waits for `ask`, for answers, or to ask again after a refusal by the claimant. */
type Held = { readonly address: Address; timer: Timer | undefined; refused: boolean; claimant: Claimant | undefined };

export type AddressProbeOptions = {
  readonly responder: Pick<Responder, 'probe'>;
  /** Frames a second that the responder sends on an interface. */
  readonly rate: number;
  readonly clock: Clock;
  /** An address need not be held any longer. */
  readonly onFree: (address: Address) => void;
  /** Somebody has a held address; `again` when the same one was told of before. It is asked again in 30 s. */
  readonly onRefused: (address: Address, by: Claimant, again: boolean) => void;
};

/**
 * Holds addresses back until nobody has claimed them for a while (RFC 5227 section 2.1). The RFC's own times, up to
 * 9 s, are for hosts that wait for an address of their own; here a Service waits.
 */
export class AddressProbe {
  readonly #options: AddressProbeOptions;
  readonly #held = new Map<string, Held>(); // by the address's text
  /** Claims of the last 10 s by the address's text, the oldest first. As many as the responder tells of in that time. */
  readonly #claims = new Map<string, { readonly by: Claimant; readonly at: number }>();

  constructor(options: AddressProbeOptions) {
    this.#options = options;
  }

  isHeld(address: string): boolean {
    return this.#held.has(address);
  }

  /** Holds the address, until some time after `ask`. */
  hold(address: Address): void {
    this.#held.set(formatAddress(address), { address, timer: undefined, refused: false, claimant: undefined });
  }

  /** Asks the neighbours for the addresses. The responder must have them in its table: it hears nothing of others. */
  ask(addresses: readonly Address[]): void {
    const open = addresses.filter((address) => !this.#refuseIfClaimed(formatAddress(address)));
    if (open.length === 0) return;
    const { responder, rate, clock } = this.#options;
    responder.probe(open);
    // Of many addresses the last question waits for all the others.
    const time = listenTime + Math.ceil((1_000 * questions * this.#held.size) / rate);
    for (const address of open) {
      const held = this.#held.get(formatAddress(address));
      if (held !== undefined) held.timer = clock.after(time, () => this.#free(held));
    }
  }

  /** Another host has been heard to claim the address. */
  claimed(address: Address, by: Claimant): void {
    const now = this.#options.clock.now();
    const text = formatAddress(address);
    this.#claims.delete(text);
    this.#claims.set(text, { by, at: now });
    for (const [old, { at }] of this.#claims) {
      if (now - at < claimLifetime) break;
      this.#claims.delete(old);
    }
    const held = this.#held.get(text);
    if (held?.refused === false) this.#refuse(held, by);
  }

  /** Nobody here wants the address any longer. */
  forget(address: string): void {
    this.#held.get(address)?.timer?.cancel();
    this.#held.delete(address);
  }

  close(): void {
    for (const address of [...this.#held.keys()]) this.forget(address);
  }

  /** The answer to a question would not be told of so soon after the last claim. */
  #refuseIfClaimed(address: string): boolean {
    const held = this.#held.get(address);
    const claim = this.#claims.get(address);
    if (held === undefined || claim === undefined) return false;
    if (this.#options.clock.now() - claim.at >= claimLifetime) return false;
    this.#refuse(held, claim.by);
    return true;
  }

  #refuse(held: Held, by: Claimant): void {
    const { clock, onRefused } = this.#options;
    const again = held.claimant?.mac === by.mac && held.claimant.interface === by.interface;
    held.timer?.cancel();
    held.refused = true;
    held.claimant = by;
    held.timer = clock.after(retryInterval, () => {
      held.refused = false;
      this.ask([held.address]);
    });
    onRefused(held.address, by, again);
  }

  #free({ address }: Held): void {
    this.#held.delete(formatAddress(address));
    this.#options.onFree(address);
  }
}
