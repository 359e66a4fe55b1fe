import { type Address, formatAddress } from '../ip/address.ts';
import { type Refusal, refusal, type ServiceKey } from './wish.ts';

/** Why not anybody may come to an address. */
export type Withholding = {
  readonly reservedFor: Set<ServiceKey>;
  keptFor: ServiceKey | undefined;
  isNodes: boolean;
};

export function isWithheld({ reservedFor, keptFor, isNodes }: Withholding): boolean {
  return reservedFor.size > 0 || keptFor !== undefined || isNodes;
}

/** Why the Service may not come to an address that is withheld so, or undefined when it may. */
export function withholdingObjection(
  { reservedFor, keptFor, isNodes }: Withholding,
  service: ServiceKey,
  at: Address,
): Refusal | undefined {
  const address = formatAddress(at);
  if (isNodes) return refusal('node-address', `${address} is the address of a node`);
  if (reservedFor.size > 0 && !reservedFor.has(service)) {
    return refusal('address-reserved', `${address} is reserved for ${[...reservedFor].join(', ')}`);
  }
  if (keptFor !== undefined && keptFor !== service && !reservedFor.has(service)) {
    return refusal('cooling-down', `${address} is kept for ${keptFor} for a time, which had it last`);
  }
  return undefined;
}
