/**
 * Addresses are 4 or 16 bytes on the wire and compared bytewise by every peer; here they are text, one text for each
 * sequence of bytes. An IPv4-mapped address stays 16 bytes and its own text: to the ring it is not the IPv4 address.
 */

/** Dotted quad or RFC 5952; undefined unless there are 4 or 16 bytes. */
export function addressText(bytes: Uint8Array): string | undefined {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return undefined;
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  const [start, length] = longestZeroRun(groups);
  if (length < 2) return groups.join(':');
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
}

/** The bytes of an address, undefined when the text is none. Takes any RFC 4291 spelling without a zone. */
export function addressBytes(text: string): Uint8Array | undefined {
  return text.includes(':') ? colonBytes(text) : dottedBytes(text);
}

/** `192.0.2.1:7946` or `[2001:db8::1]:7946`, the form in which peers are named to `join`. */
export function endpointText(endpoint: { readonly address: string; readonly port: number }): string {
  return endpoint.address.includes(':')
    ? `[${endpoint.address}]:${endpoint.port}`
    : `${endpoint.address}:${endpoint.port}`;
}

/** The reverse; the host may also be a name. Undefined without a port between 1 and 65535. */
export function parseEndpoint(text: string): { address: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host !== undefined && port >= 1 && port <= 65_535 ? { address: host, port } : undefined;
}

function dottedBytes(text: string): Uint8Array | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const parts = match?.slice(1) ?? [];
  const canonical = parts.length === 4 && parts.every((part) => String(Number(part)) === part && Number(part) <= 255);
  return canonical ? Uint8Array.from(parts, Number) : undefined;
}

function colonBytes(text: string): Uint8Array | undefined {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (tail !== null) {
    const low = dottedBytes(tail[2] ?? '');
    return low && colonBytes(`${tail[1]}${hexPair(low, 0)}:${hexPair(low, 2)}`);
  }
  const halves = text.split('::');
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const written = groups.flat();
  const missing = 8 - written.length;
  if (halves.length > 2 || !written.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...(groups[0] ?? []), ...new Array<string>(missing).fill('0'), ...(groups[1] ?? [])];
  return Uint8Array.from(all.map((group) => Number.parseInt(group, 16)).flatMap((value) => [value >> 8, value & 0xff]));
}

function hexPair(bytes: Uint8Array, at: number): string {
  return (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16);
}

function longestZeroRun(groups: readonly string[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === '0') length++;
    if (length > best[1]) best = [start, length];
  }
  return best;
}
