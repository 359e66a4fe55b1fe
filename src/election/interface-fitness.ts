import { type Address, addressBits } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import { matchesInterface } from './interface-name.ts';

/** What a node said of one of its interfaces. Those that it could never announce on are left out. */
export type NodeInterface = {
  readonly name: string;
  /** Whether it is switched on and has a carrier. */
  readonly up: boolean;
  /** Whether it serves only addresses that name it: its traffic is routed apart, or another interface hears the same. */
  readonly onlyByName?: boolean;
  readonly mac?: string;
  /** The subnets that it has an address in. */
  readonly prefixes: readonly Prefix[];
};

/** What an address asks of the node that announces it. */
export type InterfaceDemand = {
  readonly address: Address;
  /** Names and globs: where the node would announce it. */
  readonly interfaces: readonly string[] | 'all';
  /** Whether one of these has to have an address in the subnet of the announced one. */
  readonly requireSubnetAddress: boolean;
};

export type Unfitness =
  /** It has none of the interfaces. */
  | 'interfaceAbsent'
  /** All that it has of them are switched off or without a carrier. */
  | 'interfaceDown'
  /** None that is up has an address in the subnet. */
  | 'noSubnetAddress';

/**
 * Why a node cannot serve the address; undefined when it can, or when it said nothing, as a speaker of MetalLB. One
 * usable interface is enough, for what is announced on the others besides does no harm.
 */
export function unfitness(demand: InterfaceDemand, said: readonly NodeInterface[] | undefined): Unfitness | undefined {
  if (said === undefined) return undefined;
  const named = said.filter((one) => isAmong(one, demand.interfaces));
  if (named.length === 0) return 'interfaceAbsent';
  const usable = named.filter(({ up }) => up);
  if (usable.length === 0) return 'interfaceDown';
  const { address, requireSubnetAddress } = demand;
  const isNear = () => usable.some(({ prefixes }) => prefixes.some((prefix) => contains(prefix, address)));
  return requireSubnetAddress && !isNear() ? 'noSubnetAddress' : undefined;
}

function isAmong({ name, onlyByName = false }: NodeInterface, interfaces: InterfaceDemand['interfaces']): boolean {
  return interfaces === 'all' ? !onlyByName : matchesInterface(interfaces, name);
}

function contains({ family, value, length }: Prefix, address: Address): boolean {
  const hostBits = BigInt(addressBits[family] - length);
  return family === address.family && value >> hostBits === address.value >> hostBits;
}
