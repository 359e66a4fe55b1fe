import type { NodeInterface } from '../election/interface-fitness.ts';
import { isLinkLocal } from '../ip/address.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../ip/prefix.ts';
import type { InterfaceState } from '../layer2/responder.ts';

/** As `networkInterfaces()` of node:os has them, which lacks interfaces that are down. */
export type InterfaceAddresses = Readonly<Record<string, readonly { readonly cidr: string | null }[] | undefined>>;

/**
 * What this node tells of its interfaces: those it announces on, or would if they were up, by name. `states` is what
 * the responder sees; it knows no addresses.
 */
export function ownInterfaces(
  states: readonly InterfaceState[],
  addresses: InterfaceAddresses,
): readonly NodeInterface[] {
  const prefixes = prefixesByName(addresses);
  return states
    .filter(({ eligible, reason }) => eligible || reason === 'down')
    .map(({ name, mac, eligible, onlyByName }) => ({
      name,
      up: eligible,
      ...(onlyByName === undefined ? {} : { onlyByName: true }),
      mac,
      prefixes: prefixes.get(name) ?? [],
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Link-local subnets are left out: no address is announced from there. */
function prefixesByName(addresses: InterfaceAddresses): ReadonlyMap<string, readonly Prefix[]> {
  const byName = new Map<string, Map<string, Prefix>>();
  for (const [label, own = []] of Object.entries(addresses)) {
    // An IPv4 address may be labelled `eth0:1`; no interface has such a name.
    const [name = ''] = label.split(':');
    const found = byName.get(name) ?? new Map<string, Prefix>();
    byName.set(name, found);
    for (const { cidr } of own) {
      const prefix = parsePrefix(cidr ?? '');
      if (typeof prefix !== 'string' && !isLinkLocal(prefix)) found.set(formatPrefix(prefix), prefix);
    }
  }
  return new Map([...byName].map(([name, found]) => [name, [...found.values()]]));
}
