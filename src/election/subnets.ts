import { type Address, addressBits, type Family } from '../ip/address.ts';
import { formatPrefix, type Prefix } from '../ip/prefix.ts';

/** Tells addresses apart by which of some subnets they are in, which takes no longer with more subnets. */
export class Subnets {
  /** Length → first address of the subnet → its text; by family. */
  readonly #byLength: Readonly<Record<Family, Map<number, Map<bigint, string>>>> = { 4: new Map(), 6: new Map() };

  constructor(prefixes: Iterable<Prefix>) {
    for (const prefix of prefixes) {
      const { family, length } = prefix;
      const alike = this.#byLength[family].get(length) ?? new Map<bigint, string>();
      this.#byLength[family].set(length, alike);
      alike.set(network(prefix, length), formatPrefix(prefix));
    }
  }

  /** The same text for addresses that are in the same ones; empty for none. */
  of(address: Address): string {
    const texts: string[] = [];
    for (const [length, alike] of this.#byLength[address.family]) {
      const text = alike.get(network(address, length));
      if (text !== undefined) texts.push(text);
    }
    return texts.join(' ');
  }
}

function network({ family, value }: Address, length: number): bigint {
  return value >> BigInt(addressBits[family] - length);
}
