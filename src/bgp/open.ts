import { encodeCapability, readCapabilities } from './capabilities.ts';
import type { Capability, Open } from './message.ts';
import { isMessageError, type MessageError, messageError } from './message-error.ts';
import { notifications } from './notification.ts';
import { asTrans, concat, maxTwoOctetAsn, readUint16, readUint32, uint16Bytes, uint32Bytes } from './wire.ts';

/**
 * The body of an OPEN (RFC 4271 section 4.2):
 *
 *   version 4 · AS (2) · hold time (2) · BGP identifier (4) · length of parameters · { type · length · value }…
 *
 * and with more than 255 bytes of parameters (RFC 9072): 255 · 255 · length (2) · { type · length (2) · value }…
 */
const version = 4;
const fixedBytes = 10;
const capabilitiesParameter = 2;
/** RFC 9072: in the place of the first parameter's type. */
const extendedParameters = 255;
/** RFC 4271 section 4.2: 0 or at least this. */
const leastHoldTime = 3;

export function encodeOpen(open: Open): Uint8Array {
  const capabilities = concat(open.capabilities.map(encodeCapability));
  const asn = open.asn > maxTwoOctetAsn ? asTrans : open.asn;
  return concat([
    Uint8Array.of(version),
    uint16Bytes(asn),
    uint16Bytes(open.holdTime),
    uint32Bytes(open.routerId),
    ...parametersOf(capabilities),
  ]);
}

/** All capabilities in one parameter, as RFC 5492 section 4 asks. */
function parametersOf(capabilities: Uint8Array): readonly Uint8Array[] {
  const { length } = capabilities;
  if (length === 0) return [Uint8Array.of(0)];
  if (length <= 253) return [Uint8Array.of(length + 2, capabilitiesParameter, length), capabilities];
  const outer = Uint8Array.of(255, extendedParameters, (length + 3) >> 8, length + 3);
  return [outer, Uint8Array.of(capabilitiesParameter, length >> 8, length), capabilities];
}

/** `body` is at least as long as the header says that an OPEN is. */
export function decodeOpen(body: Uint8Array): Open | MessageError {
  if (body[0] !== version) {
    const text = `version ${body[0]} of BGP: we speak version ${version}`;
    return messageError(notifications.unsupportedVersion, text, uint16Bytes(version));
  }
  const capabilities = readParameters(body);
  if (isMessageError(capabilities)) return capabilities;
  const fourOctets = capabilities.find((each) => each.kind === 'four-octet-asn');
  const open: Open = {
    type: 'open',
    asn: fourOctets?.asn ?? readUint16(body, 1),
    holdTime: readUint16(body, 3),
    routerId: readUint32(body, 5),
    capabilities,
  };
  return faultOf(open, readUint16(body, 1)) ?? open;
}

/** What no OPEN may say, whoever sends it; whether it is the peer we want is the session's question. */
function faultOf(open: Open, field: number): MessageError | undefined {
  // RFC 7607.
  if (open.asn === 0 || field === 0) return messageError(notifications.badPeerAs, 'the peer says its AS is 0');
  if (open.holdTime > 0 && open.holdTime < leastHoldTime) {
    const text = `a hold time of ${open.holdTime} s: it has to be 0, or at least ${leastHoldTime} s`;
    return messageError(notifications.unacceptableHoldTime, text);
  }
  if (open.routerId === 0)
    return messageError(notifications.badRouterId, 'the peer says its BGP identifier is 0.0.0.0');
  return undefined;
}

function readParameters(body: Uint8Array): Capability[] | MessageError {
  const told = body[fixedBytes - 1]!;
  const extended = told > 0 && body[fixedBytes] === extendedParameters;
  if (extended && body.length < fixedBytes + 3) return malformed('the optional parameters are cut off');
  const start = extended ? fixedBytes + 3 : fixedBytes;
  const length = extended ? readUint16(body, fixedBytes + 1) : told;
  if (length !== body.length - start) {
    return malformed(`${length} bytes of optional parameters are told, ${body.length - start} are there`);
  }
  const capabilities: Capability[] = [];
  const lengthBytes = extended ? 2 : 1;
  for (let at = start; at < body.length; ) {
    const type = body[at]!;
    const from = at + 1 + lengthBytes;
    if (from > body.length) return malformed('an optional parameter is cut off');
    const end = from + (extended ? readUint16(body, at + 1) : body[at + 1]!);
    if (end > body.length) return malformed(`optional parameter ${type} runs over the message`);
    if (type !== capabilitiesParameter) {
      return messageError(notifications.unsupportedOptionalParameter, `an optional parameter of type ${type}`);
    }
    const fault = readCapabilities(body.subarray(from, end), capabilities);
    if (fault !== undefined) return malformed(fault);
    at = end;
  }
  return lastGracefulRestart(capabilities);
}

/** Of several, the last counts (RFC 4724 section 3). */
function lastGracefulRestart(capabilities: Capability[]): Capability[] {
  const last = capabilities.findLast(({ kind }) => kind === 'graceful-restart');
  return capabilities.filter((each) => each.kind !== 'graceful-restart' || each === last);
}

function malformed(text: string): MessageError {
  return messageError(notifications.malformedOpen, `a malformed OPEN: ${text}`);
}
