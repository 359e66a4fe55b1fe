import { OrderedMap } from './ordered-map.ts';
import type { Position } from './position.ts';
import type { Tenancy, Terms } from './tenancy.ts';
import type { ServiceKey } from './wish.ts';

/**
 * The addresses that may be shared, by sharing text and in the order of use. Each subtree knows the ports that are taken
 * on all of its addresses, so that the first address with room for a port is found without going through those that
 * have none.
 */
export class SharedTenancies {
  readonly #byText = new Map<string, OrderedMap<Position, Tenancy, Ports>>();

  /** The first from the position on that has room for the Service and does not have it yet. */
  from(position: Position, service: ServiceKey, terms: Terms): Tenancy | undefined {
    const tenancies = terms.sharing === undefined ? undefined : this.#byText.get(terms.sharing);
    return tenancies?.find(
      position,
      (takenEverywhere) => !terms.ports.some((port) => takenEverywhere.has(port)),
      (tenancy) => tenancy.takenPort(service, terms) === undefined && !tenancy.has(service),
    );
  }

  add(tenancy: Tenancy): void {
    if (tenancy.sharing === undefined) return;
    const tenancies = this.#byText.get(tenancy.sharing) ?? new OrderedMap(commonPorts);
    tenancies.set(tenancy.position, tenancy);
    this.#byText.set(tenancy.sharing, tenancies);
  }

  delete(tenancy: Tenancy): void {
    const tenancies = tenancy.sharing === undefined ? undefined : this.#byText.get(tenancy.sharing);
    tenancies?.delete(tenancy.position);
    if (tenancies?.size === 0) this.#byText.delete(tenancy.sharing!);
  }

  /** To be called when these ports of a tenancy that is in here were taken or given back. */
  refresh(tenancy: Tenancy, changed: readonly string[]): void {
    if (tenancy.sharing === undefined) return;
    this.#byText.get(tenancy.sharing)?.revise(tenancy.position, (common, { ports }, left, right) => {
      if (!(common instanceof Set)) return ports;
      for (const port of changed) {
        const isCommon = ports.has(port) && (left?.has(port) ?? true) && (right?.has(port) ?? true);
        if (isCommon) common.add(port);
        else common.delete(port);
      }
      return common;
    });
  }
}

type Ports = Tenancy['ports'];

/** What is taken on every one of them: for a tenancy without others below it, its own. */
function commonPorts(
  { ports }: Tenancy,
  left: Ports | undefined,
  right: Ports | undefined,
  before: Ports | undefined,
): Ports {
  if (left === undefined && right === undefined) return ports;
  const all = [ports, ...(left ? [left] : []), ...(right ? [right] : [])];
  const smallest = all.reduce((a, b) => (b.size < a.size ? b : a));
  const common = new Set<string>();
  for (const port of smallest.keys()) if (all.every((one) => one.has(port))) common.add(port);
  const isSame = before instanceof Set && before.size === common.size && [...common].every((port) => before.has(port));
  return isSame ? before : common;
}
