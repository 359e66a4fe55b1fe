/**
 * What a speaker tells the others through the ring: the MAC addresses by which it announces. A MetalLB speaker tells
 * nothing.
 *
 *     version (1 byte, 1) | count (1 byte) | count MAC addresses of 6 bytes | whatever a later version appends
 */
const version = 1;
const macSize = 6;
/** Keeps it below the 512 bytes that the ring allows, and short in every message that carries it. */
export const maxMacs = 64;

/** The same MAC addresses in any order, the same bytes. What is no MAC address, or too much, is left out. */
export function encodeMemberMeta(macs: Iterable<string>): Uint8Array {
  const valid = [...new Set(macs)].filter((mac) => /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac));
  const kept = valid.sort().slice(0, maxMacs);
  const bytes = kept.flatMap((mac) => mac.split(':').map((byte) => Number.parseInt(byte, 16)));
  return Uint8Array.from([version, kept.length, ...bytes]);
}

/** Whether the member is a speaker of ours. MetalLB's tell nothing. */
export function isOurs(meta: Uint8Array): boolean {
  return meta[0] === version;
}

/** The MAC addresses. None when it is anything else: it comes from the network, and may be another program's. */
export function decodeMemberMeta(meta: Uint8Array): readonly string[] {
  const [says, count = 0] = meta;
  if (says !== version || count > maxMacs || meta.length < 2 + count * macSize) return [];
  return Array.from({ length: count }, (_, i) => {
    const mac = meta.subarray(2 + i * macSize, 2 + (i + 1) * macSize);
    return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
  });
}
