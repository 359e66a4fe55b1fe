import { addressBytes, addressText } from './address-text.ts';
import { isMember, type MemberTable } from './member-table.ts';
import type { Endpoint } from './transport.ts';

/**
 * Where something came from. The protocol does not say who sends a message, so `name` is deduced: it is the member
 * that is known at this address; undefined when none is, or when several share it and nothing tells them apart.
 */
export type Sender = { readonly name: string | undefined; readonly address: string };

/** Who sent a packet. Members send from the place that they advertise. */
export function senderOfPacket(table: MemberTable, from: Endpoint): Sender {
  return senderAmong(table, from.address, from.port);
}

/** Who opened a stream. Its port says nothing. */
export function senderOfStream(table: MemberTable, from: Endpoint): Sender {
  return senderAmong(table, from.address);
}

function senderAmong(table: MemberTable, written: string, port?: number): Sender {
  const bytes = addressBytes(written);
  const address = (bytes && addressText(bytes)) ?? written;
  let name: string | undefined;
  for (const entry of table.entries()) {
    if (entry.address !== address || (port !== undefined && entry.port !== port) || !isMember(entry)) continue;
    if (name !== undefined) return { name: undefined, address };
    name = entry.name;
  }
  return { name, address };
}
