import { badLength, readHeader } from './header.ts';
import type { Message, Notification, Open, RouteRefresh } from './message.ts';
import { isMessageError, type MessageError, messageError } from './message-error.ts';
import { notifications } from './notification.ts';
import { decodeOpen, encodeOpen } from './open.ts';
import { decodeUpdate, type UpdateContext } from './update-decoder.ts';
import {
  copyOf,
  familyBytes,
  familyOf,
  headerBytes,
  maxExtendedMessageBytes,
  messageOf,
  messageTypes,
  readUint16,
} from './wire.ts';

/** The index is the number (RFC 7313 section 4). */
const refreshSubtypes = ['request', 'begin', 'end'] as const;

/** UPDATEs are made by ./update-encoder.ts. */
export function encodeMessage(
  message: Open | Notification | RouteRefresh | { readonly type: 'keepalive' },
): Uint8Array {
  switch (message.type) {
    case 'open':
      return messageOf(messageTypes.open, [encodeOpen(message)]);
    case 'notification':
      return messageOf(messageTypes.notification, [Uint8Array.of(message.code, message.subcode), message.data]);
    case 'keepalive':
      return messageOf(messageTypes.keepalive, []);
    case 'route-refresh': {
      if (message.subtype === 'unknown') throw new TypeError('a ROUTE-REFRESH of a kind that we do not know');
      const [high, low, safi] = familyBytes(message.family);
      return messageOf(messageTypes.routeRefresh, [
        Uint8Array.of(high, low, refreshSubtypes.indexOf(message.subtype), safi),
      ]);
    }
    default:
      return message satisfies never;
  }
}

/**
 * `bytes` is one whole message with its header, as a MessageFramer gives it. Whatever the bytes are, nothing throws,
 * and what is returned keeps none of them alive.
 */
export function decodeMessage(bytes: Uint8Array, context: UpdateContext): Message | MessageError {
  if (bytes.length < headerBytes || bytes.length > maxExtendedMessageBytes)
    return badLength('a message', bytes.length & 0xffff);
  // Whether it is too long for this session was the framer's question.
  const header = readHeader(bytes, 0, true);
  if (isMessageError(header)) return header;
  if (header.length !== bytes.length) return badLength(`a message of ${bytes.length} bytes that tells`, header.length);
  const body = bytes.subarray(headerBytes);
  switch (header.type) {
    case messageTypes.open:
      return decodeOpen(body);
    case messageTypes.update:
      return decodeUpdate(body, context);
    case messageTypes.notification:
      return { type: 'notification', code: body[0]!, subcode: body[1]!, data: copyOf(body.subarray(2)) };
    case messageTypes.keepalive:
      return { type: 'keepalive' };
    default:
      return decodeRouteRefresh(bytes, body);
  }
}

/** A longer request has filters behind it (RFC 5291), which we did not offer: they are left out. */
function decodeRouteRefresh(message: Uint8Array, body: Uint8Array): RouteRefresh | MessageError {
  const family = familyOf(readUint16(body, 0), body[3]!);
  const subtype = refreshSubtypes[body[2]!];
  if (subtype !== undefined && subtype !== 'request' && body.length !== 4) {
    const text = `a ROUTE-REFRESH of ${message.length} bytes that begins or ends a refresh`;
    return messageError(notifications.badRouteRefreshLength, text, message);
  }
  if (family === undefined || subtype === undefined)
    return { type: 'route-refresh', family: undefined, subtype: 'unknown' };
  return { type: 'route-refresh', family, subtype };
}
