import type { Pool } from '../config/config.ts';
import { type Address, type Family, formatAddress } from '../ip/address.ts';
import { FamilyLayout, isBuggy } from './family-layout.ts';
import { OrderedMap } from './ordered-map.ts';
import { next, type Position, toPosition } from './position.ts';
import { SharedTenancies } from './shared-tenancies.ts';
import { SpanSet } from './span-set.ts';
import { sameTerms, Tenancy, type Terms } from './tenancy.ts';
import { type Refusal, refusal, type ServiceKey } from './wish.ts';
import { isWithheld, type Withholding, withholdingObjection } from './withholding.ts';

/** Told of changes: the first for what is shown of the pool, the others for those who wait. */
export type SpaceNews = {
  /** Who has what, or how much is left, is no longer what it was. */
  readonly use: () => void;
  /** There is an address more that anybody may be given. */
  readonly room: () => void;
  /** An address that is shared under this text has come, or has ports to spare. */
  readonly opening: (sharing: string) => void;
  /** Somebody left, or may come to, just this address. */
  readonly address: (address: Address) => void;
  /** The same, of an address that is reserved or kept for the Service. */
  readonly own: (service: ServiceKey) => void;
};

/**
 * The addresses of one family of a pool, by their positions in the order of use. Each is in one of three states:
 *
 *   positions     0 1 2 3 4 5 6 7 8 9 …
 *   #free             ~ . .     . . . …   anybody may have it; ~ ends in .0 or .255, and is taken out when first met
 *   used          T T         T           has a Tenancy
 *   withheld              w w             has no Tenancy, and waits for a certain Service, or is a node's
 *
 * An address with a Tenancy can be withheld as well: nobody else may join then, and it is not in #shared.
 */
export class FamilySpace {
  readonly #pool: Pool;
  readonly #layout: FamilyLayout;
  readonly #news: SpaceNews;
  readonly #free = new SpanSet();
  /** A Map would be no better: it slows down by the thousands when the same few keys come and go. */
  readonly #tenancies = new OrderedMap<Position, Tenancy>();
  readonly #shared = new SharedTenancies();
  readonly #withheld = new Map<Position, Withholding>();
  /** What is withheld for a Service, reserved or kept. */
  readonly #withheldFor = new Map<ServiceKey, Set<Position>>();
  #withheldUnused = 0;
  /** How many addresses may be in use at once. */
  readonly usable: bigint;

  constructor(family: Family, pool: Pool, news: SpaceNews) {
    this.#pool = pool;
    this.#news = news;
    this.#layout = new FamilyLayout(family, pool.addresses, pool.excluded);
    this.usable = this.#layout.size - (pool.avoidBuggyIPs ? this.#layout.buggy() : 0n);
    if (this.#layout.size > 0n) this.#free.add(0, toPosition(this.#layout.size - 1n));
  }

  get assigned(): number {
    return this.#tenancies.size;
  }

  /** How many addresses nobody has, and yet not anybody may be given. */
  get withheld(): number {
    return this.#withheldUnused;
  }

  /** Why nobody may have the address, or undefined when somebody may. The address is of the pool. */
  refuses(address: Address): Refusal | undefined {
    const where = `pool ${this.#pool.name}`;
    if (this.#layout.position(address) === undefined) {
      return refusal('address-excluded', `${where} excludes ${formatAddress(address)} (garpoon.io/exclude-addresses)`);
    }
    if (!this.#avoids(address)) return undefined;
    return refusal('address-avoided', `${where} keeps ${formatAddress(address)} back (avoidBuggyIPs)`);
  }

  /** Why the Service may not stay on the address, or undefined when it may. The address is of the pool. */
  objectionToStay(address: Address, service: ServiceKey, terms: Terms): Refusal | undefined {
    return this.refuses(address) ?? this.tenancy(address)?.objection(service, terms, address);
  }

  /** Why the Service may not come to the address, or undefined when it may. */
  objectionToCome(address: Address, service: ServiceKey, terms: Terms): Refusal | undefined {
    const objection = this.objectionToStay(address, service, terms);
    if (objection) return objection;
    const withholding = this.#withheld.get(this.#layout.position(address)!);
    return withholding && withholdingObjection(withholding, service, address);
  }

  /**
   * Up to `count` addresses that the Service may come to: first those reserved for it or kept for it, then the lowest
   * that are free or shared with it.
   */
  candidates(count: number, service: ServiceKey, terms: Terms): readonly Address[] {
    const found = this.#ownCandidates(service, terms).slice(0, count);
    for (let from: Position = 0; found.length < count; ) {
      const free = this.#freeFrom(from);
      const shared = this.#shared.from(from, service, terms)?.position;
      const position = free === undefined || (shared !== undefined && shared < free) ? shared : free;
      if (position === undefined) break;
      found.push(position);
      from = next(position);
    }
    return found.map((position) => this.#layout.address(position));
  }

  tenancy(address: Address): Tenancy | undefined {
    const position = this.#layout.position(address);
    return position === undefined ? undefined : this.#tenancies.get(position);
  }

  /** The caller knows that there is no objection. The Service may be on the address already, on other terms. */
  take(address: Address, service: ServiceKey, terms: Terms, before: Terms, since: number): void {
    const position = this.#layout.position(address)!;
    const tenancy = this.#tenancies.get(position);
    if (!tenancy) {
      this.#occupy(new Tenancy(position, since, service, terms));
    } else if (!tenancy.has(service)) {
      tenancy.join(service, terms);
      if (!this.#withheld.has(position)) this.#shared.refresh(tenancy, terms.ports);
      this.#news.use();
    } else if (!sameTerms(terms, before)) {
      this.#revise(tenancy, service, terms, before);
    }
  }

  /** The caller knows that the Service is on the address, on these terms. */
  leave(address: Address, service: ServiceKey, terms: Terms): void {
    const position = this.#layout.position(address)!;
    const tenancy = this.#tenancies.get(position)!;
    if (tenancy.isSoleTenant(service)) {
      this.#vacate(tenancy);
    } else {
      tenancy.leave(service, terms);
      this.#opened(tenancy, terms.ports);
      this.#news.use();
    }
    this.#tellOf(position, address);
  }

  /** From now on nobody but Services for which it is reserved may come to the address. */
  reserve(address: Address, service: ServiceKey): void {
    this.#withhold(address, ({ reservedFor }) => reservedFor.add(service), service);
  }

  unreserve(address: Address, service: ServiceKey): void {
    this.#withhold(address, ({ reservedFor }) => reservedFor.delete(service), service);
  }

  /** The Service had the address: until `unkeep`, nobody else may come to it. */
  keep(address: Address, service: ServiceKey): void {
    this.#withhold(address, (withholding) => (withholding.keptFor = service), service);
  }

  unkeep(address: Address, service: ServiceKey): void {
    this.#withhold(address, (withholding) => (withholding.keptFor = undefined), service);
  }

  setNodes(address: Address, isNodes: boolean): void {
    this.#withhold(address, (withholding) => (withholding.isNodes = isNodes));
  }

  withholdsFor(service: ServiceKey): boolean {
    return this.#withheldFor.has(service);
  }

  /** The first `limit` addresses in use, ascending. */
  inUse(limit: number): readonly { readonly address: Address; readonly tenancy: Tenancy }[] {
    const list: { address: Address; tenancy: Tenancy }[] = [];
    for (const [first, last] of this.#layout.ascending()) {
      for (let from = first; list.length < limit; ) {
        const tenancy = this.#tenancies.ceiling(from);
        if (!tenancy || tenancy.position > last) break;
        list.push({ address: this.#layout.address(tenancy.position), tenancy });
        from = next(tenancy.position);
      }
    }
    return list;
  }

  #avoids(address: Address): boolean {
    return this.#pool.avoidBuggyIPs && isBuggy(address);
  }

  // Avoided addresses leave #free here, one by one and for good, and not when the pool is made: a /2 of IPv4 has
  // eight million of them.
  #freeFrom(from: Position): Position | undefined {
    for (;;) {
      const position = this.#free.from(from);
      if (position === undefined || !this.#pool.avoidBuggyIPs) return position;
      if (!isBuggy(this.#layout.address(position))) return position;
      this.#free.remove(position);
    }
  }

  #ownCandidates(service: ServiceKey, terms: Terms): Position[] {
    const positions = [...(this.#withheldFor.get(service) ?? [])].filter((position) => {
      const address = this.#layout.address(position);
      return !this.#tenancies.get(position)?.has(service) && !this.objectionToCome(address, service, terms);
    });
    const rank = (position: Position) => (this.#withheld.get(position)!.reservedFor.has(service) ? 0 : 1);
    return positions.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  }

  #occupy(tenancy: Tenancy): void {
    const { position } = tenancy;
    this.#tenancies.set(position, tenancy);
    if (this.#withheld.has(position)) this.#withheldUnused -= 1;
    else this.#free.remove(position);
    this.#offer(tenancy);
    this.#news.use();
  }

  #vacate(tenancy: Tenancy): void {
    const { position } = tenancy;
    this.#tenancies.delete(position);
    this.#news.use();
    if (this.#withheld.has(position)) {
      this.#withheldUnused += 1;
    } else {
      this.#shared.delete(tenancy);
      this.#free.add(position);
      this.#news.room();
    }
  }

  /** Others may come to the address beside those who are there, if these share. */
  #offer(tenancy: Tenancy): void {
    if (tenancy.sharing === undefined || this.#withheld.has(tenancy.position)) return;
    this.#shared.add(tenancy);
    this.#news.opening(tenancy.sharing);
  }

  #revise(tenancy: Tenancy, service: ServiceKey, terms: Terms, before: Terms): void {
    const { position, since } = tenancy;
    if (tenancy.isSoleTenant(service)) {
      if (!this.#withheld.has(position)) this.#shared.delete(tenancy);
      const revised = new Tenancy(position, since, service, terms);
      this.#tenancies.set(position, revised);
      this.#offer(revised);
    } else {
      tenancy.leave(service, before);
      tenancy.join(service, terms);
      this.#opened(tenancy, [...before.ports, ...terms.ports]);
    }
    this.#tellOf(position, this.#layout.address(position));
  }

  #opened(tenancy: Tenancy, ports: readonly string[]): void {
    if (this.#withheld.has(tenancy.position)) return;
    this.#shared.refresh(tenancy, ports);
    if (tenancy.sharing !== undefined) this.#news.opening(tenancy.sharing);
  }

  /** What is no address of the pool, or one that it never gives, is withheld anyway. */
  #withhold(address: Address, change: (withholding: Withholding) => unknown, service?: ServiceKey): void {
    const position = this.#layout.position(address);
    if (position === undefined || this.#avoids(address)) return;
    const withholding = this.#withheld.get(position) ?? {
      reservedFor: new Set<ServiceKey>(),
      keptFor: undefined,
      isNodes: false,
    };
    change(withholding);
    const was = this.#withheld.has(position);
    const is = isWithheld(withholding);
    if (is) this.#withheld.set(position, withholding);
    else this.#withheld.delete(position);
    if (service !== undefined) this.#listOwn(position, service);
    if (is && !was) this.#takeBack(position);
    if (was && !is) this.#giveBack(position);
    this.#tellOf(position, address);
  }

  #tellOf(position: Position, address: Address): void {
    this.#news.address(address);
    const { reservedFor = [], keptFor } = this.#withheld.get(position) ?? {};
    for (const service of reservedFor) this.#news.own(service);
    if (keptFor !== undefined) this.#news.own(keptFor);
  }

  /** From now on the address is withheld. */
  #takeBack(position: Position): void {
    const tenancy = this.#tenancies.get(position);
    if (tenancy) {
      this.#shared.delete(tenancy);
    } else {
      this.#free.remove(position);
      this.#withheldUnused += 1;
      this.#news.use();
    }
  }

  /** The address is withheld no longer. */
  #giveBack(position: Position): void {
    const tenancy = this.#tenancies.get(position);
    if (tenancy) {
      this.#offer(tenancy);
    } else {
      this.#withheldUnused -= 1;
      this.#free.add(position);
      this.#news.use();
      this.#news.room();
    }
  }

  #listOwn(position: Position, service: ServiceKey): void {
    const { reservedFor, keptFor } = this.#withheld.get(position) ?? {};
    const own = this.#withheldFor.get(service) ?? new Set();
    if (keptFor === service || reservedFor?.has(service)) own.add(position);
    else own.delete(position);
    if (own.size > 0) this.#withheldFor.set(service, own);
    else this.#withheldFor.delete(service);
  }
}
