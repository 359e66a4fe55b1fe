import type { Family } from '../ip/address.ts';
import type { Capability, GracefulRestartCapability } from './message.ts';
import {
  afis,
  concat,
  copyOf,
  familyBytes,
  familyOf,
  readUint16,
  readUint32,
  uint16Bytes,
  uint32Bytes,
} from './wire.ts';

/** IANA's numbers of those that we know. */
const codes = {
  multiprotocol: 1,
  'route-refresh': 2,
  'extended-next-hop': 5,
  'extended-message': 6,
  'graceful-restart': 64,
  'four-octet-asn': 65,
  'enhanced-route-refresh': 70,
} as const;

const restarted = 0x80;
const notification = 0x40;
const forwardingPreserved = 0x80;
const maxRestartTime = 0x0fff;

/**
 * The capabilities of one optional parameter (RFC 5492 section 4), appended to `into`. Those that we do not know, and
 * families that we do not speak, are no fault. Returns what is wrong, in words.
 */
export function readCapabilities(bytes: Uint8Array, into: Capability[]): string | undefined {
  for (let at = 0; at < bytes.length; ) {
    const code = bytes[at]!;
    const end = at + 2 + (bytes[at + 1] ?? bytes.length);
    if (end > bytes.length) return `capability ${code} runs over its parameter`;
    const capability = readCapability(code, bytes.subarray(at + 2, end));
    if (capability === undefined) return `capability ${code} has ${end - at - 2} bytes`;
    into.push(capability);
    at = end;
  }
  return undefined;
}

/** Undefined when its length cannot be. */
function readCapability(code: number, value: Uint8Array): Capability | undefined {
  switch (code) {
    case codes.multiprotocol: {
      if (value.length !== 4) return undefined;
      const family = familyOf(readUint16(value, 0), value[3]!);
      return family === undefined ? unknown(code, value) : { kind: 'multiprotocol', family };
    }
    case codes['route-refresh']:
      return { kind: 'route-refresh' };
    case codes['enhanced-route-refresh']:
      return { kind: 'enhanced-route-refresh' };
    case codes['extended-message']:
      return { kind: 'extended-message' };
    case codes['four-octet-asn']:
      return value.length === 4 ? { kind: 'four-octet-asn', asn: readUint32(value, 0) } : undefined;
    case codes['extended-next-hop']:
      return readExtendedNextHop(value);
    case codes['graceful-restart']:
      return readGracefulRestart(value);
    default:
      return unknown(code, value);
  }
}

function unknown(code: number, value: Uint8Array): Capability {
  return { kind: 'unknown', code, value: copyOf(value) };
}

/** RFC 8950 section 4: tuples of family, sub-family (here of two bytes), family of the next hop. */
function readExtendedNextHop(value: Uint8Array): Capability | undefined {
  if (value.length % 6 !== 0) return undefined;
  const tuples: { family: Family; nextHop: Family }[] = [];
  for (let at = 0; at < value.length; at += 6) {
    const family = familyOf(readUint16(value, at), readUint16(value, at + 2));
    const nextHop = familyOf(readUint16(value, at + 4), 1);
    if (family !== undefined && nextHop !== undefined) tuples.push({ family, nextHop });
  }
  return { kind: 'extended-next-hop', tuples };
}

/** RFC 4724 section 3: flags and time in two bytes, then family, sub-family, flags. */
function readGracefulRestart(value: Uint8Array): GracefulRestartCapability | undefined {
  if (value.length < 2 || value.length % 4 !== 2) return undefined;
  const families: { family: Family; forwardingPreserved: boolean }[] = [];
  for (let at = 2; at < value.length; at += 4) {
    const family = familyOf(readUint16(value, at), value[at + 2]!);
    if (family === undefined) continue;
    families.push({ family, forwardingPreserved: (value[at + 3]! & forwardingPreserved) !== 0 });
  }
  return {
    kind: 'graceful-restart',
    restarted: (value[0]! & restarted) !== 0,
    notification: (value[0]! & notification) !== 0,
    restartTime: readUint16(value, 0) & maxRestartTime,
    families,
  };
}

/** Code, length, value. */
export function encodeCapability(capability: Capability): Uint8Array {
  const code = capability.kind === 'unknown' ? capability.code : codes[capability.kind];
  const value = capabilityValue(capability);
  if (value.length > 255) throw new RangeError(`capability ${code} of ${value.length} bytes: 255 is the most`);
  return concat([Uint8Array.of(code, value.length), value]);
}

function capabilityValue(capability: Capability): Uint8Array {
  switch (capability.kind) {
    case 'multiprotocol': {
      const [high, low, safi] = familyBytes(capability.family);
      return Uint8Array.of(high, low, 0, safi);
    }
    case 'route-refresh':
    case 'enhanced-route-refresh':
    case 'extended-message':
      return new Uint8Array(0);
    case 'four-octet-asn':
      return uint32Bytes(capability.asn);
    case 'extended-next-hop':
      return Uint8Array.from(
        capability.tuples.flatMap(({ family, nextHop }) => [0, afis[family], 0, 1, 0, afis[nextHop]]),
      );
    case 'graceful-restart':
      return gracefulRestartValue(capability);
    case 'unknown':
      return capability.value;
    default:
      return capability satisfies never;
  }
}

function gracefulRestartValue(capability: GracefulRestartCapability): Uint8Array {
  const time = uint16Bytes(Math.min(capability.restartTime, maxRestartTime));
  time[0]! |= (capability.restarted ? restarted : 0) | (capability.notification ? notification : 0);
  const families = capability.families.flatMap((each) => [
    ...familyBytes(each.family),
    each.forwardingPreserved ? forwardingPreserved : 0,
  ]);
  return Uint8Array.of(...time, ...families);
}
