import type { AnsweredAddress, ServiceL2StatusContent } from '../api/service-l2-status.ts';
import type { NodeInterface } from '../election/interface-fitness.ts';
import { matchesInterface } from '../election/interface-name.ts';
import { type Address, compareAddresses, formatAddress } from '../ip/address.ts';
import type { ServiceAnnouncement } from '../layer2/announcer.ts';
import { formatTimestamp } from '../runtime/clock.ts';
import type { Holding } from './takeovers.ts';

/** What this node knows of what it announces. */
export type Layer2Facts = {
  readonly node: string;
  /** Undefined: not announced here. */
  readonly announcementOf: (service: string) => Pick<ServiceAnnouncement, 'addresses' | 'interfaces'> | undefined;
  readonly holding: (address: Address) => Holding | undefined;
  readonly conflict?: (address: Address) => AnsweredAddress['conflict'];
  /** Of this node; undefined: not known. */
  readonly interfaces?: () => readonly NodeInterface[] | undefined;
};

/** The status to be written: null takes a field away. */
export type WantedLayer2Status = {
  readonly [Field in keyof ServiceL2StatusContent]: ServiceL2StatusContent[Field] | null;
};

/** Undefined when this node announces nothing of the Service. */
export function layer2StatusOf(
  service: { readonly namespace: string; readonly name: string },
  facts: Layer2Facts,
): WantedLayer2Status | undefined {
  const announcement = facts.announcementOf(`${service.namespace}/${service.name}`);
  if (announcement === undefined) return undefined;
  const used = facts.interfaces?.()?.filter((one) => isUsed(one, announcement.interfaces));
  const macs = new Set(used?.flatMap(({ up, mac }) => (up && mac !== undefined ? [mac] : [])));
  const [mac] = macs.size === 1 ? macs : [];
  return {
    node: facts.node,
    serviceName: service.name,
    serviceNamespace: service.namespace,
    interfaces: announcement.interfaces === 'all' ? null : namesOf(announcement.interfaces, used),
    addresses: announcement.addresses.toSorted(compareAddresses).flatMap((address) => answered(address, mac, facts)),
  };
}

/** Equal for what says the same, in whatever order a server gives the fields back. */
export function layer2StatusText(status: WantedLayer2Status | undefined): string {
  const { node, serviceName, serviceNamespace, interfaces, addresses } = status ?? {};
  return JSON.stringify([
    [node, serviceName, serviceNamespace],
    interfaces?.map(({ name }) => name) ?? null,
    addresses?.map(({ address, mac, since, previousOwner, verified, conflict }) => [
      [address, mac, since, previousOwner],
      verified && [verified.at, verified.by, verified.mac],
      conflict && [conflict.since, conflict.mac, conflict.interface, conflict.node],
    ]) ?? null,
  ]);
}

function answered(address: Address, mac: string | undefined, facts: Layer2Facts): readonly AnsweredAddress[] {
  const holding = facts.holding(address);
  if (holding === undefined) return [];
  const { since, takeover, verified } = holding;
  const conflict = facts.conflict?.(address);
  return [
    {
      address: formatAddress(address),
      ...(mac === undefined ? {} : { mac }),
      since: formatTimestamp(since),
      ...(takeover?.previousOwner === undefined ? {} : { previousOwner: takeover.previousOwner }),
      ...(verified === undefined ? {} : { verified: { ...verified, at: formatTimestamp(verified.at) } }),
      ...(conflict === undefined ? {} : { conflict }),
    },
  ];
}

/** Of globs those that the node has, when that is known. */
function namesOf(patterns: readonly string[], used: readonly NodeInterface[] | undefined) {
  const known = used === undefined || used.length === 0 ? patterns : used.map(({ name }) => name);
  return [...new Set(known)].sort().map((name) => ({ name }));
}

function isUsed({ name, onlyByName = false }: NodeInterface, interfaces: ServiceAnnouncement['interfaces']): boolean {
  return interfaces === 'all' ? !onlyByName : matchesInterface(interfaces, name);
}
