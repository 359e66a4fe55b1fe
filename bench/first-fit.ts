import type { Wish } from '../src/allocator/wish.ts';
import { type Address, formatAddress, parseAddress } from '../src/ip/address.ts';
import { type Range, rangeHas } from '../src/ip/range.ts';

/**
 * What the allocator is compared with: the plain way. Who has an address is in a map by its text, and whoever needs
 * one goes through the range from the beginning. Shares nothing, knows one range.
 */
export class FirstFit {
  readonly #range: Range;
  readonly #byAddress = new Map<string, string>();
  readonly #held = new Map<string, { readonly wish: Wish; readonly address: Address }>();

  constructor(range: Range) {
    this.#range = range;
  }

  adopt(service: string, wish: Wish, address: Address): boolean {
    const text = formatAddress(address);
    if (!rangeHas(this.#range, address) || this.#byAddress.has(text)) return false;
    this.#byAddress.set(text, service);
    this.#held.set(service, { wish, address });
    return true;
  }

  assign(service: string, wish: Wish): Address | undefined {
    const { family, first, last } = this.#range;
    const held = this.#held.get(service);
    if (held) return held.address;
    for (let value = first; value <= last; value++) {
      const address = { family, value };
      if (this.adopt(service, wish, address)) return address;
    }
    return undefined;
  }

  release(service: string): void {
    const held = this.#held.get(service);
    if (!held) return;
    this.#held.delete(service);
    this.#byAddress.delete(formatAddress(held.address));
  }
}

export function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (!address) throw new Error(`no address: ${text}`);
  return address;
}
