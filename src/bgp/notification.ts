import { familyOf, hexText, messageTypes, readUint16, readUint32 } from './wire.ts';

/**
 * What NOTIFICATIONs say, by the names of the registry of RFC 4271 section 4.5: RFC 4486 and 9384 (Cease), RFC 5492
 * (2/7), RFC 6608 (5/x), RFC 7313 (7/1), RFC 9687 (8/0), RFC 8538 (6/9).
 */
export const notifications = {
  notSynchronized: { code: 1, subcode: 1 },
  badMessageLength: { code: 1, subcode: 2 },
  badMessageType: { code: 1, subcode: 3 },
  malformedOpen: { code: 2, subcode: 0 },
  unsupportedVersion: { code: 2, subcode: 1 },
  badPeerAs: { code: 2, subcode: 2 },
  badRouterId: { code: 2, subcode: 3 },
  unsupportedOptionalParameter: { code: 2, subcode: 4 },
  unacceptableHoldTime: { code: 2, subcode: 6 },
  unsupportedCapability: { code: 2, subcode: 7 },
  malformedAttributeList: { code: 3, subcode: 1 },
  unrecognizedWellKnown: { code: 3, subcode: 2 },
  missingWellKnown: { code: 3, subcode: 3 },
  attributeFlags: { code: 3, subcode: 4 },
  attributeLength: { code: 3, subcode: 5 },
  invalidOrigin: { code: 3, subcode: 6 },
  invalidNextHop: { code: 3, subcode: 8 },
  optionalAttribute: { code: 3, subcode: 9 },
  invalidNetworkField: { code: 3, subcode: 10 },
  malformedAsPath: { code: 3, subcode: 11 },
  holdTimeExpired: { code: 4, subcode: 0 },
  unexpectedInOpenSent: { code: 5, subcode: 1 },
  unexpectedInOpenConfirm: { code: 5, subcode: 2 },
  unexpectedInEstablished: { code: 5, subcode: 3 },
  maximumPrefixes: { code: 6, subcode: 1 },
  administrativeShutdown: { code: 6, subcode: 2 },
  peerDeconfigured: { code: 6, subcode: 3 },
  administrativeReset: { code: 6, subcode: 4 },
  connectionRejected: { code: 6, subcode: 5 },
  otherConfigurationChange: { code: 6, subcode: 6 },
  connectionCollision: { code: 6, subcode: 7 },
  outOfResources: { code: 6, subcode: 8 },
  hardReset: { code: 6, subcode: 9 },
  bfdDown: { code: 6, subcode: 10 },
  badRouteRefreshLength: { code: 7, subcode: 1 },
  sendHoldTimeExpired: { code: 8, subcode: 0 },
} as const;

const codeNames = [
  '',
  'Message Header Error',
  'OPEN Message Error',
  'UPDATE Message Error',
  'Hold Timer Expired',
  'Finite State Machine Error',
  'Cease',
  'ROUTE-REFRESH Message Error',
  'Send Hold Timer Expired',
] as const;

/** By code; the index is the subcode. */
const subcodeNames: Readonly<Record<number, readonly string[]>> = {
  1: ['', 'Connection Not Synchronized', 'Bad Message Length', 'Bad Message Type'],
  2: [
    '',
    'Unsupported Version Number',
    'Bad Peer AS',
    'Bad BGP Identifier',
    'Unsupported Optional Parameter',
    'Authentication Failure',
    'Unacceptable Hold Time',
    'Unsupported Capability',
    '',
    '',
    '',
    'Role Mismatch',
  ],
  3: [
    '',
    'Malformed Attribute List',
    'Unrecognized Well-known Attribute',
    'Missing Well-known Attribute',
    'Attribute Flags Error',
    'Attribute Length Error',
    'Invalid ORIGIN Attribute',
    'AS Routing Loop',
    'Invalid NEXT_HOP Attribute',
    'Optional Attribute Error',
    'Invalid Network Field',
    'Malformed AS_PATH',
  ],
  5: [
    '',
    'Receive Unexpected Message in OpenSent State',
    'Receive Unexpected Message in OpenConfirm State',
    'Receive Unexpected Message in Established State',
  ],
  6: [
    '',
    'Maximum Number of Prefixes Reached',
    'Administrative Shutdown',
    'Peer De-configured',
    'Administrative Reset',
    'Connection Rejected',
    'Other Configuration Change',
    'Connection Collision Resolution',
    'Out of Resources',
    'Hard Reset',
    'BFD Down',
  ],
  7: ['', 'Invalid Message Length'],
};

/** RFC 9003: a length byte before it, at most 255 bytes of UTF-8. Cut between characters where it is longer. */
export function shutdownCommunication(text: string): Uint8Array {
  const bytes = new Uint8Array(256);
  const { written } = new TextEncoder().encodeInto(text, bytes.subarray(1));
  bytes[0] = written;
  return bytes.slice(0, written + 1);
}

/** The data of a hard reset, which tells what it is about (RFC 8538 section 3.1). */
export function hardResetData(inside: {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}): Uint8Array {
  return Uint8Array.of(inside.code, inside.subcode, ...inside.data);
}

/** For logs and status: `Cease / Administrative Shutdown: node draining`. What the peer wrote is made printable. */
export function describeNotification(code: number, subcode: number, data: Uint8Array): string {
  return described(code, subcode, data, true);
}

/** A hard reset within a hard reset is not looked into. */
function described(code: number, subcode: number, data: Uint8Array, outermost: boolean): string {
  const name = codeNames[code] || `error code ${code}`;
  const detail = subcodeNames[code]?.[subcode] || (subcode === 0 ? '' : `subcode ${subcode}`);
  const saying = data.length === 0 ? '' : dataText(code, subcode, data, outermost);
  return `${name}${detail && ` / ${detail}`}${saying && `: ${saying}`}`;
}

function dataText(code: number, subcode: number, data: Uint8Array, outermost: boolean): string {
  switch (`${code}/${subcode}`) {
    case '1/2':
      return data.length === 2 ? `a length of ${readUint16(data, 0)}` : hexText(data);
    case '1/3':
      return data.length === 1 ? `type ${data[0]}` : hexText(data);
    case '2/1':
      return data.length === 2 ? `it speaks version ${readUint16(data, 0)}` : hexText(data);
    case '2/7':
      return capabilitiesText(data) ?? hexText(data);
    case '5/1':
    case '5/2':
    case '5/3':
      return data.length === 1 ? (typeNames.get(data[0]!) ?? `type ${data[0]}`) : hexText(data);
    case '6/1':
      return limitText(data) ?? hexText(data);
    case '6/2':
    case '6/4':
      return communicationText(data);
    case '6/9':
      return outermost && data.length >= 2 ? described(data[0]!, data[1]!, data.subarray(2), false) : hexText(data);
    default:
      return hexText(data);
  }
}

const typeNames = new Map<number, string>([
  [messageTypes.open, 'OPEN'],
  [messageTypes.update, 'UPDATE'],
  [messageTypes.notification, 'NOTIFICATION'],
  [messageTypes.keepalive, 'KEEPALIVE'],
  [messageTypes.routeRefresh, 'ROUTE-REFRESH'],
]);

/** RFC 5492 section 5: the capabilities that are wanted, as in an OPEN. */
function capabilitiesText(data: Uint8Array): string | undefined {
  const codes: number[] = [];
  let at = 0;
  for (; at + 2 <= data.length; at += 2 + data[at + 1]!) codes.push(data[at]!);
  if (at !== data.length || codes.length === 0 || codes.length > 32) return undefined;
  return `${codes.length === 1 ? 'capability' : 'capabilities'} ${codes.join(', ')}`;
}

/** RFC 4486 section 4. */
function limitText(data: Uint8Array): string | undefined {
  if (data.length !== 7) return undefined;
  const [afi, safi] = [readUint16(data, 0), data[2]!];
  const family = familyOf(afi, safi);
  return `at most ${readUint32(data, 3)} of ${family === undefined ? `family ${afi}/${safi}` : `IPv${family}`}`;
}

/** RFC 9003 section 2: not UTF-8, or a length that is none, is shown as bytes. */
function communicationText(data: Uint8Array): string {
  const length = data[0]!;
  if (length > data.length - 1) return hexText(data);
  try {
    return printable(new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(1, 1 + length)));
  } catch {
    return hexText(data);
  }
}

/** Neither control characters nor what reverses or hides text: it ends in logs and terminals. */
function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}
