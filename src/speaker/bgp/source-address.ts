import type { AddressSource } from '../../api/bgp-annotations.ts';
import type { Peer } from '../../config/config.ts';
import { type Address, addressBits, compareAddresses, formatAddress, isLinkLocal } from '../../ip/address.ts';
import { coversPrefix, formatPrefix } from '../../ip/prefix.ts';

export type InterfaceAddress = Address & { readonly length: number };

/** What sessions depend on of a node. */
export type BGPNode = {
  readonly name: string;
  /** The InternalIPs of the Node, in its order. */
  readonly addresses: readonly Address[];
  /** The addresses of its interfaces with the lengths of their subnets, in the kernel's order. */
  readonly interfaces: readonly { readonly name: string; readonly addresses: readonly InterfaceAddress[] }[];
};

export type Source =
  /** Undefined: the kernel chooses. */
  | { readonly address: Address | undefined }
  | { readonly reason: 'sourceAddressMissing' | 'sourceAddressFamily'; readonly text: string };

/** Where the session with the peer comes from on this node. */
export function sourceAddressOf({ neighbor, sourceAddress, sourceAddressFrom }: Peer, node: BGPNode): Source {
  if ('interface' in neighbor) return { address: undefined };
  const { family } = neighbor.address;
  if (sourceAddress !== undefined && sourceAddress.family !== family) {
    const text = `sourceAddress ${formatAddress(sourceAddress)} cannot reach ${formatAddress(neighbor.address)}: name an IPv${family} address, or remove it`;
    return { reason: 'sourceAddressFamily', text };
  }
  if (sourceAddressFrom === undefined) return { address: sourceAddress };
  const usable = candidates(sourceAddressFrom, node).filter((one) => one.family === family);
  // A link-local address reaches the link alone.
  const address = usable.find((one) => isLinkLocal(one) === isLinkLocal(neighbor.address));
  if (address !== undefined) return { address: { family, value: address.value } };
  const text = `${node.name} has no IPv${family} address ${sourceText(sourceAddressFrom)} (garpoon.io/source-address-from): give it one, or name another interface or prefix`;
  return { reason: 'sourceAddressMissing', text };
}

/** Whether the node needs no router to reach the address. */
export function isOnLink(address: Address, { interfaces }: BGPNode): boolean {
  if (isLinkLocal(address)) return true;
  const whole = { ...address, length: addressBits[address.family] };
  return interfaces.some((one) => one.addresses.some((own) => coversPrefix(own, whole)));
}

/** An interface's in the kernel's order; by prefixes, the lowest first, wherever it is. */
function candidates(source: AddressSource, { addresses, interfaces }: BGPNode): readonly Address[] {
  if ('interface' in source) return interfaces.find(({ name }) => name === source.interface)?.addresses ?? [];
  const all = [...interfaces.flatMap((one) => one.addresses), ...addresses];
  const isWithin = (address: Address) => {
    const whole = { ...address, length: addressBits[address.family] };
    return source.prefixes.some((prefix) => coversPrefix(prefix, whole));
  };
  return all.filter(isWithin).sort(compareAddresses);
}

function sourceText(source: AddressSource): string {
  return 'interface' in source ? `on ${source.interface}` : `within ${source.prefixes.map(formatPrefix).join(', ')}`;
}
