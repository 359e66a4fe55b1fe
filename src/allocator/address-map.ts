import type { Address, Family } from '../ip/address.ts';

/** Values by address. */
export class AddressMap<T> {
  readonly #maps: Readonly<Record<Family, Map<bigint, T>>> = { 4: new Map(), 6: new Map() };

  get size(): number {
    return this.#maps[4].size + this.#maps[6].size;
  }

  get({ family, value }: Address): T | undefined {
    return this.#maps[family].get(value);
  }

  has({ family, value }: Address): boolean {
    return this.#maps[family].has(value);
  }

  set({ family, value }: Address, item: T): void {
    this.#maps[family].set(value, item);
  }

  delete({ family, value }: Address): void {
    this.#maps[family].delete(value);
  }

  /** IPv4 before IPv6, otherwise in the order they came. */
  values(): readonly T[] {
    return [...this.#maps[4].values(), ...this.#maps[6].values()];
  }
}
