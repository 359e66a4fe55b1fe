import { formatAddress, parseAddress } from '../ip/address.ts';
import type { Service } from '../kubernetes/core.ts';
import type { ObjectKey } from '../kubernetes/resource.ts';
import { statusAddresses } from './announceable.ts';
import { hasSeveral } from './has-several.ts';

/** What the status of a Service gives that is an address; canonical texts. */
export function addressTexts(service: Service | undefined): readonly string[] {
  return statusAddresses(service).flatMap((text) => {
    const address = parseAddress(text);
    return address === undefined ? [] : [formatAddress(address)];
  });
}

/**
 * Which addresses are elected each by itself while the strategy is `metallb`: all of the Services that have several of
 * one family, and so of whoever shares one with them, for an address can be on one node only. By the status alone: as
 * endpoints come and go, it does not change by which rule an address is elected.
 *
 * Invariant: #counts has exactly the addresses of #services, each with the number of these that have it.
 */
export class SpreadAddresses {
  /** Those with several → their addresses. */
  readonly #services = new Map<ObjectKey, readonly string[]>();
  readonly #counts = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#services.size === 0;
  }

  has(address: string): boolean {
    return this.#counts.has(address);
  }

  /** Whether it has anything to say of the Service, as it was seen last and as it is. */
  concerns(key: ObjectKey, service: Service | undefined): boolean {
    return this.#services.has(key) || isSpread(service) || addressTexts(service).some((text) => this.has(text));
  }

  /** The Service as it is now. Returns the addresses that are elected by the other rule from now on. */
  see(key: ObjectKey, service: Service | undefined): readonly string[] {
    const before = this.#services.get(key) ?? [];
    const now = isSpread(service) ? [...new Set(addressTexts(service))] : [];
    const had = new Map([...before, ...now].map((text) => [text, this.has(text)]));
    for (const text of now) this.#counts.set(text, (this.#counts.get(text) ?? 0) + 1);
    for (const text of before) {
      const count = this.#counts.get(text)! - 1;
      if (count === 0) this.#counts.delete(text);
      else this.#counts.set(text, count);
    }
    if (now.length === 0) this.#services.delete(key);
    else this.#services.set(key, now);
    return [...had].flatMap(([text, was]) => (was === this.has(text) ? [] : [text]));
  }

  clear(): void {
    this.#services.clear();
    this.#counts.clear();
  }
}

/** Most Services have one address: of these nothing is parsed. */
function isSpread(service: Service | undefined): boolean {
  const texts = statusAddresses(service);
  return texts.length > 1 && hasSeveral(texts.flatMap((text) => parseAddress(text) ?? []));
}
