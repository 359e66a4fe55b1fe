import { type Address, formatAddress } from '../ip/address.ts';

/** Whether two of them are of one family: such a Service is to be on several nodes, by whatever rule others are elected. */
export function hasSeveral(addresses: readonly Address[]): boolean {
  const different = new Set(addresses.map(formatAddress)).size;
  return different > new Set(addresses.map(({ family }) => family)).size;
}
