import { type Address, formatAddress, parseAddress } from '../ip/address.ts';
import type { ObjectKey } from '../kubernetes/resource.ts';

type Seen = { readonly text: string; readonly addresses: readonly Address[] };
type Status = { services: number; isNew: boolean };

/**
 * Which addresses no node has announced yet, as far as this speaker knows: those that a Service was given while it
 * looked on, until a node is elected to announce them. What was there at its start may have been announced for long.
 *
 * Invariant: #addresses has exactly the addresses of #services, each with the number of Services that share it.
 */
export class NewAddresses {
  readonly #services = new Map<ObjectKey, Seen>();
  readonly #addresses = new Map<string, Status>(); // by the address's text
  #settled = false;

  /** Everything that was there at the start has been seen: what comes now is new. */
  settle(): void {
    this.#settled = true;
  }

  /** What the status of a Service says; nothing when it is gone. An address that no Service has any more is forgotten. */
  see(service: ObjectKey, texts: readonly string[]): void {
    const before = this.#services.get(service);
    const text = texts.join(' ');
    if (text === (before?.text ?? '')) return;
    const addresses = distinct(texts);
    // These first, or one that stays would be forgotten in between.
    for (const address of addresses) this.#add(formatAddress(address));
    for (const address of before?.addresses ?? []) this.#remove(formatAddress(address));
    if (texts.length === 0) this.#services.delete(service);
    else this.#services.set(service, { text, addresses });
  }

  /** Nodes have been elected to announce those addresses of the Service. Returns which of them were new until now. */
  elected(service: ObjectKey, isElected: (address: Address) => boolean = () => true): readonly Address[] {
    const addresses = this.#services.get(service)?.addresses ?? [];
    return addresses.filter(isElected).filter((address) => {
      const status = this.#addresses.get(formatAddress(address));
      if (!status?.isNew) return false;
      status.isNew = false;
      return true;
    });
  }

  /** These have not been announced after all. */
  putBack(addresses: readonly Address[]): void {
    for (const address of addresses) {
      const status = this.#addresses.get(formatAddress(address));
      if (status !== undefined) status.isNew = true;
    }
  }

  #add(address: string): void {
    const status = this.#addresses.get(address);
    if (status === undefined) this.#addresses.set(address, { services: 1, isNew: this.#settled });
    else status.services += 1;
  }

  #remove(address: string): void {
    const status = this.#addresses.get(address);
    if (status === undefined) return;
    status.services -= 1;
    if (status.services === 0) this.#addresses.delete(address);
  }
}

/** What is no address is nobody's to announce. */
function distinct(texts: readonly string[]): readonly Address[] {
  const addresses = texts.flatMap((text) => parseAddress(text) ?? []);
  return [...new Map(addresses.map((address) => [formatAddress(address), address])).values()];
}
