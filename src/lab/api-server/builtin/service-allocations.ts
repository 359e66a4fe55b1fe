import { formatAddress } from '../../../ip/address.ts';
import type { Range } from '../../../ip/range.ts';
import { type ApiObject, numberAt, objectsAt, stringAt, stringsAt } from '../json.ts';
import { type Change, keyOf } from '../store.ts';

/** What Services have of the cluster: addresses as texts, node ports as `TCP/30000`. */
export type Taken = Pick<ReadonlySet<string>, 'has'>;

/**
 * What the Services have of the cluster, kept up to date by the changes of the store, so that a new Service costs no look
 * at all others.
 *
 *     #holders   address or node port → keys of the Services that have it
 *     #floors    range → no address below this value is free
 */
export class ServiceAllocations {
  readonly #holders = new Map<string, Set<string>>();
  readonly #floors = new Map<Range, bigint>();

  /** To be called with every change of the store. */
  follow({ resource, type, object, before }: Pick<Change, 'resource' | 'type' | 'object' | 'before'>): void {
    if (resource !== 'services') return;
    const key = keyOf(object.metadata);
    const then = before === undefined ? [] : heldBy(before);
    const now = type === 'DELETED' ? [] : heldBy(object);
    for (const held of then) if (!now.includes(held)) this.#release(held, key);
    for (const held of now) this.#holdersOf(held).add(key);
  }

  /** What Services other than this one have. */
  takenByOthers({ metadata }: ApiObject): Taken {
    const own = keyOf(metadata);
    return {
      has: (held) => {
        const holders = this.#holders.get(held);
        return holders !== undefined && (holders.size > 1 || !holders.has(own));
      },
    };
  }

  /** The lowest address that no Service has; undefined when there is none. The first and the last are no host's. */
  freeAddress(range: Range): string | undefined {
    for (let value = this.#floors.get(range) ?? range.first + 1n; value < range.last; value++) {
      const text = formatAddress({ family: range.family, value });
      if (this.#holders.has(text)) continue;
      this.#floors.set(range, value);
      return text;
    }
    return undefined;
  }

  #release(held: string, key: string): void {
    const holders = this.#holdersOf(held);
    holders.delete(key);
    if (holders.size > 0) return;
    this.#holders.delete(held);
    this.#floors.clear();
  }

  #holdersOf(held: string): Set<string> {
    const known = this.#holders.get(held);
    if (known !== undefined) return known;
    const fresh = new Set<string>();
    this.#holders.set(held, fresh);
    return fresh;
  }
}

/** `TCP/30000` and the like, the port of the health check among them. */
export function nodePortsOf(service: ApiObject): string[] {
  const health = numberAt(service, 'spec', 'healthCheckNodePort') ?? 0;
  const ports = objectsAt(service, 'spec', 'ports').filter((port) => (numberAt(port, 'nodePort') ?? 0) > 0);
  const keys = ports.map((port) => `${stringAt(port, 'protocol')}/${numberAt(port, 'nodePort')}`);
  return health > 0 ? [...keys, `TCP/${health}`] : keys;
}

function heldBy(service: ApiObject): readonly string[] {
  const addresses = stringsAt(service, 'spec', 'clusterIPs').filter((text) => text !== 'None');
  return [...addresses, ...nodePortsOf(service)];
}
