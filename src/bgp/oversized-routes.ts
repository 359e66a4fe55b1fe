import type { Prefix } from '../ip/prefix.ts';
import type { RouteCounts } from './adj-rib-out.ts';

/** The routes that the peer is not told because no message holds their attributes. */
export class OversizedRoutes {
  readonly #prefixes = { 4: new Set<string>(), 6: new Set<string>() };

  get counts(): RouteCounts {
    return { 4: this.#prefixes[4].size, 6: this.#prefixes[6].size };
  }

  /** In words; undefined when there is none. */
  get problem(): string | undefined {
    const count = this.#prefixes[4].size + this.#prefixes[6].size;
    if (count === 0) return undefined;
    const routes = count === 1 ? '1 route is' : `${count} routes are`;
    return `${routes} not announced, whose communities do not fit a message of 4,096 bytes: let fewer BGPAdvertisements, with fewer communities, announce the address`;
  }

  add(prefixes: readonly Prefix[]): void {
    for (const prefix of prefixes) this.#prefixes[prefix.family].add(keyOf(prefix));
  }

  remove(prefixes: readonly Prefix[]): void {
    if (this.#prefixes[4].size + this.#prefixes[6].size === 0) return;
    for (const prefix of prefixes) this.#prefixes[prefix.family].delete(keyOf(prefix));
  }
}

function keyOf({ value, length }: Prefix): string {
  return `${value.toString(36)}/${length}`;
}
