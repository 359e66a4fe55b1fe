import { readFileSync } from 'node:fs';

/** The entry has a MAC address: ATF_COM of linux/if_arp.h. */
const complete = 0x2;

/**
 * The IPv4 addresses that the kernel's ARP cache has for the MAC address. There is no such file for IPv6. To be read
 * on a rare occasion: the cache may have thousands of lines.
 */
export function addressesInArpCache(mac: string, read = readArpCache): readonly string[] {
  // IP address | hardware type | flags | hardware address | mask | device, below a line of headings.
  const lines = read().split('\n').slice(1);
  return lines.flatMap((line) => {
    const [address, , flags, hardware] = line.split(/\s+/);
    const matches = hardware?.toLowerCase() === mac.toLowerCase() && (Number(flags) & complete) !== 0;
    return matches && address !== undefined ? [address] : [];
  });
}

/** Of this process's network namespace; empty where there is none to read. */
function readArpCache(): string {
  try {
    return readFileSync('/proc/net/arp', 'latin1');
  } catch {
    return '';
  }
}
