import { type MessageError, messageError } from './message-error.ts';
import { notifications } from './notification.ts';
import {
  headerBytes,
  maxExtendedMessageBytes,
  maxMessageBytes,
  messageTypes,
  readUint16,
  uint16Bytes,
} from './wire.ts';

/** `length` counts the header, too. */
export type Header = { readonly type: number; readonly length: number };

/** The least and the most that a message of a type has (RFC 4271 section 6.1, RFC 2918, RFC 8654 section 4). */
const lengths: Readonly<Record<number, { readonly least: number; readonly most: number; readonly name: string }>> = {
  [messageTypes.open]: { least: 29, most: maxMessageBytes, name: 'an OPEN' },
  [messageTypes.update]: { least: 23, most: maxExtendedMessageBytes, name: 'an UPDATE' },
  [messageTypes.notification]: { least: 21, most: maxExtendedMessageBytes, name: 'a NOTIFICATION' },
  [messageTypes.keepalive]: { least: 19, most: 19, name: 'a KEEPALIVE' },
  [messageTypes.routeRefresh]: { least: 23, most: maxExtendedMessageBytes, name: 'a ROUTE-REFRESH' },
};

/** The caller has checked that the header's 19 bytes are there. */
export function readHeader(bytes: Uint8Array, at: number, extended: boolean): Header | MessageError {
  for (let i = at; i < at + 16; i++) {
    if (bytes[i] !== 0xff) return messageError(notifications.notSynchronized, 'the header does not begin with ones');
  }
  const length = readUint16(bytes, at + 16);
  const type = bytes[at + 18]!;
  const bounds = lengths[type];
  const most = extended ? maxExtendedMessageBytes : maxMessageBytes;
  if (length < headerBytes || length > most) return badLength('a message', length);
  if (bounds === undefined) {
    return messageError(notifications.badMessageType, `a message of type ${type}`, Uint8Array.of(type));
  }
  return length < bounds.least || length > bounds.most ? badLength(bounds.name, length) : { type, length };
}

export function badLength(what: string, length: number): MessageError {
  return messageError(notifications.badMessageLength, `${what} of ${length} bytes`, uint16Bytes(length));
}
