import { type Address, formatAddress } from '../ip/address.ts';
import { type Refusal, refusal, type ServiceKey, type Wish } from './wish.ts';

/**
 * An address in use and the Services on it. Either one Service, or several of which all have the same sharing key and
 * backend and no two have a port in common.
 */
export class Tenancy {
  readonly address: Address;
  /** What a further Service must have in `sharingOf` to join; undefined when nobody may. */
  readonly sharing: string | undefined;
  readonly #services = new Set<ServiceKey>();
  /** `TCP/80` and the like, each with the one Service that has it. */
  readonly #ports = new Map<string, ServiceKey>();

  constructor(address: Address, sharing: string | undefined) {
    this.address = address;
    this.sharing = sharing;
  }

  get services(): ReadonlySet<ServiceKey> {
    return this.#services;
  }

  /** Why the Service may not be here beside the others, or undefined when it may. Its own presence is no hindrance. */
  objection(service: ServiceKey, wish: Wish): Refusal | undefined {
    const others = this.#services.size - (this.#services.has(service) ? 1 : 0);
    if (others === 0) return undefined;
    const address = formatAddress(this.address);
    const sharing = sharingOf(wish);
    if (sharing === undefined || sharing !== this.sharing) {
      const holders = [...this.#services].filter((holder) => holder !== service).join(', ');
      return refusal('in-use', `${address} is in use by ${holders}, ${whyNot(sharing, this.sharing)}`);
    }
    const port = this.takenPort(service, portsOf(wish));
    if (port === undefined) return undefined;
    return refusal('port-conflict', `port ${port} of ${address} is in use by ${this.#ports.get(port)}`);
  }

  /** The first of the ports that another Service has here. */
  takenPort(service: ServiceKey, ports: readonly string[]): string | undefined {
    return ports.find((port) => (this.#ports.get(port) ?? service) !== service);
  }

  join(service: ServiceKey, wish: Wish): void {
    this.#services.add(service);
    for (const port of portsOf(wish)) this.#ports.set(port, service);
  }

  leave(service: ServiceKey): void {
    this.#services.delete(service);
    for (const [port, holder] of this.#ports) if (holder === service) this.#ports.delete(port);
  }
}

/** Equal for two Services exactly when they may share an address, ports aside; undefined shares with nobody. */
export function sharingOf(wish: Wish): string | undefined {
  return wish.sharingKey ? JSON.stringify([wish.sharingKey, wish.backend]) : undefined;
}

/** `TCP/80` and the like. */
export function portsOf(wish: Wish): readonly string[] {
  return wish.ports.map(({ protocol, port }) => `${protocol}/${port}`);
}

function whyNot(mine: string | undefined, theirs: string | undefined): string {
  if (theirs === undefined) return 'which has no sharing key';
  if (mine === undefined) return 'and this Service has no sharing key';
  return 'which has another sharing key, or other pods behind it';
}
