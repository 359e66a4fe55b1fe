import type { Address } from '../ip/address.ts';
import { type Range, rangeSize } from '../ip/range.ts';
import { RangeSet } from '../ip/range-set.ts';
import { portsOf, sharingOf, Tenancy } from './tenancy.ts';
import type { Refusal, ServiceKey, Wish } from './wish.ts';

/**
 * The addresses of one range of a pool: every usable one is either in `#free` or has a Tenancy, never both.
 *
 *   range        [ . . . . . . . . . . . ]
 *   #free          ~ . . . .     .   . .     ranges; ~ is an avoided address, taken out when first met
 *   #tenancies               T T   T         T's with one sharing text are also in #shared, ascending
 */
export class RangeSpace {
  readonly range: Range;
  readonly #avoidsBuggyIPs: boolean;
  readonly #free: RangeSet;
  readonly #tenancies = new Map<bigint, Tenancy>();
  readonly #shared = new Map<string, Tenancy[]>();

  constructor(range: Range, avoidsBuggyIPs: boolean) {
    this.range = range;
    this.#avoidsBuggyIPs = avoidsBuggyIPs;
    this.#free = new RangeSet([range]);
  }

  /** How many addresses are in use. */
  get assigned(): number {
    return this.#tenancies.size;
  }

  /** How many addresses may be in use at once. */
  get usable(): bigint {
    return rangeSize(this.range) - (this.#avoidsBuggyIPs ? avoidedIn(this.range) : 0n);
  }

  avoids(address: Address): boolean {
    return this.#avoidsBuggyIPs && isAvoided(address);
  }

  /** Why the Service may not be on the address beside those that are, or undefined when it may. */
  objection(address: Address, service: ServiceKey, wish: Wish): Refusal | undefined {
    return this.#tenancies.get(address.value)?.objection(service, wish);
  }

  /**
   * The lowest address that the Service may have, be it free or shared with it. O(log n) in the addresses, and linear
   * in those already shared under the Service's own sharing key.
   */
  first(service: ServiceKey, wish: Wish): Address | undefined {
    const free = this.#firstFree();
    const ports = portsOf(wish);
    for (const tenancy of this.#shared.get(sharingOf(wish) ?? '') ?? []) {
      if (free !== undefined && tenancy.address.value > free.value) break;
      if (tenancy.takenPort(service, ports) === undefined) return tenancy.address;
    }
    return free;
  }

  /** The caller knows that there is no objection, and that the Service does not hold the address. */
  take(address: Address, service: ServiceKey, wish: Wish): void {
    let tenancy = this.#tenancies.get(address.value);
    if (!tenancy) {
      tenancy = new Tenancy(address, sharingOf(wish));
      this.#tenancies.set(address.value, tenancy);
      this.#free.remove(single(address));
      this.#list(tenancy);
    }
    tenancy.join(service, wish);
  }

  release(address: Address, service: ServiceKey): void {
    const tenancy = this.#tenancies.get(address.value);
    if (!tenancy) return;
    tenancy.leave(service);
    if (tenancy.services.size > 0) return;
    this.#tenancies.delete(address.value);
    this.#free.add(single(address));
    this.#unlist(tenancy);
  }

  holders(address: Address): readonly ServiceKey[] {
    return [...(this.#tenancies.get(address.value)?.services ?? [])];
  }

  // Avoided addresses leave #free here, one by one and for good, and not when the pool is made: a /2 of IPv4 has
  // eight million of them.
  #firstFree(): Address | undefined {
    for (;;) {
      const address = this.#free.first(this.range.family);
      if (!address || !this.avoids(address)) return address;
      this.#free.remove(single(address));
    }
  }

  #list(tenancy: Tenancy): void {
    if (tenancy.sharing === undefined) return;
    const listed = this.#shared.get(tenancy.sharing) ?? [];
    const next = listed.findIndex((other) => other.address.value > tenancy.address.value);
    listed.splice(next === -1 ? listed.length : next, 0, tenancy);
    this.#shared.set(tenancy.sharing, listed);
  }

  #unlist(tenancy: Tenancy): void {
    if (tenancy.sharing === undefined) return;
    const rest = (this.#shared.get(tenancy.sharing) ?? []).filter((other) => other !== tenancy);
    if (rest.length > 0) this.#shared.set(tenancy.sharing, rest);
    else this.#shared.delete(tenancy.sharing);
  }
}

/** Whether `avoidBuggyIPs` keeps the address back: some old routers drop IPv4 packets to .0 and .255. */
function isAvoided(address: Address): boolean {
  const lowest = address.value & 0xffn;
  return address.family === 4 && (lowest === 0n || lowest === 0xffn);
}

function avoidedIn(range: Range): bigint {
  if (range.family === 6) return 0n;
  // How many addresses below the value end in .0, and how many in .255.
  const below = (value: bigint) => (value + 255n) / 256n + value / 256n;
  return below(range.last + 1n) - below(range.first);
}

function single({ family, value }: Address): Range {
  return { family, first: value, last: value };
}
