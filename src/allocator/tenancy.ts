import { type Address, formatAddress } from '../ip/address.ts';
import type { Position } from './position.ts';
import { type Refusal, refusal, type ServiceKey, type Wish } from './wish.ts';

/** On what terms a Service is on an address. */
export type Terms = {
  /** Equal for two Services exactly when they may share an address, ports aside; undefined shares with nobody. */
  readonly sharing: string | undefined;
  /** `TCP/80` and the like; empty without sharing, where ports do not matter. */
  readonly ports: readonly string[];
};

/** How many Services a text names at most. */
const mostNames = 3;

const alone: Terms = { sharing: undefined, ports: [] };

export function termsOf(wish: Wish, scope: 'cluster' | 'namespace'): Terms {
  if (!wish.sharingKey) return alone;
  const parts = [wish.sharingKey, wish.backend, ...(scope === 'namespace' ? [wish.namespace] : [])];
  return { sharing: JSON.stringify(parts), ports: wish.ports.map(({ protocol, port }) => `${protocol}/${port}`) };
}

export function sameTerms(a: Terms, b: Terms): boolean {
  return (
    a.sharing === b.sharing && a.ports.length === b.ports.length && a.ports.every((port, i) => port === b.ports[i])
  );
}

/**
 * An address in use and the Services on it: either one Service, or several with the same sharing text of which no two
 * have a port in common.
 */
export class Tenancy {
  readonly position: Position;
  /** Since when the address is in use, milliseconds since 1970. */
  readonly since: number;
  /** What a further Service must have to join; undefined when nobody may. */
  readonly sharing: string | undefined;
  /** Most addresses are not shared, and a Set for each of them would be half of the allocator's memory. */
  #services: ServiceKey | Set<ServiceKey>;
  /** With the one Service that has each. */
  readonly #ports: Map<string, ServiceKey> | undefined;

  constructor(position: Position, since: number, service: ServiceKey, { sharing, ports }: Terms) {
    this.position = position;
    this.since = since;
    this.sharing = sharing;
    this.#services = service;
    if (sharing !== undefined) this.#ports = new Map(ports.map((port) => [port, service]));
  }

  /** In the order they came. */
  get services(): readonly ServiceKey[] {
    return typeof this.#services === 'string' ? [this.#services] : [...this.#services];
  }

  /** Of all Services here together. */
  get ports(): { readonly size: number; has(port: string): boolean; keys(): Iterable<string> } {
    return this.#ports ?? new Map();
  }

  has(service: ServiceKey): boolean {
    return typeof this.#services === 'string' ? this.#services === service : this.#services.has(service);
  }

  isSoleTenant(service: ServiceKey): boolean {
    return this.has(service) && (typeof this.#services === 'string' || this.#services.size === 1);
  }

  /** Why the Service may not be here beside the others, or undefined when it may. Its own presence is no hindrance. */
  objection(service: ServiceKey, terms: Terms, at: Address): Refusal | undefined {
    if (this.isSoleTenant(service)) return undefined;
    if (terms.sharing === undefined || terms.sharing !== this.sharing) {
      const why = whyNot(terms.sharing, this.sharing);
      return refusal('in-use', `${formatAddress(at)} is in use by ${this.#othersText(service)}, ${why}`);
    }
    const port = this.takenPort(service, terms);
    if (port === undefined) return undefined;
    return refusal('port-conflict', `port ${port} of ${formatAddress(at)} is in use by ${this.#ports?.get(port)}`);
  }

  /** A few of the others by name. */
  #othersText(service: ServiceKey): string {
    const others = this.services.filter((holder) => holder !== service);
    const more = others.length > mostNames ? ` and ${others.length - mostNames} more` : '';
    return `${others.slice(0, mostNames).join(', ')}${more}`;
  }

  /** The first of the ports that another Service has here. */
  takenPort(service: ServiceKey, { ports }: Terms): string | undefined {
    return ports.find((port) => (this.#ports?.get(port) ?? service) !== service);
  }

  /** The caller knows that there is no objection, and that there is somebody. */
  join(service: ServiceKey, { ports }: Terms): void {
    if (typeof this.#services === 'string') this.#services = new Set([this.#services]);
    this.#services.add(service);
    for (const port of ports) this.#ports?.set(port, service);
  }

  /** The caller knows that the Service is here, and not alone. */
  leave(service: ServiceKey, { ports }: Terms): void {
    if (typeof this.#services !== 'string') this.#services.delete(service);
    for (const port of ports) if (this.#ports?.get(port) === service) this.#ports.delete(port);
  }
}

function whyNot(mine: string | undefined, theirs: string | undefined): string {
  if (theirs === undefined) return 'which has no sharing key';
  if (mine === undefined) return 'and this Service has no sharing key';
  return 'which has another sharing key, or other pods behind it';
}
