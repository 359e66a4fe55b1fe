import { copyOf, headerBytes, maxMessageBytes, noBytes } from './wire.ts';

/** Why a session ends over something the peer sent: what the NOTIFICATION says, and the same in words. */
export type MessageError = {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
  readonly text: string;
};

/** What fits behind code and subcode of a NOTIFICATION. */
export const maxNotificationData = maxMessageBytes - headerBytes - 2;

/** `kind` is one of ./notification.ts. `data` is copied, and cut to what a NOTIFICATION holds. */
export function messageError(
  kind: { readonly code: number; readonly subcode: number },
  text: string,
  data: Uint8Array = noBytes,
): MessageError {
  return { code: kind.code, subcode: kind.subcode, data: copyOf(data.subarray(0, maxNotificationData)), text };
}

export function isMessageError<T extends object>(result: T | MessageError): result is MessageError {
  return 'subcode' in result && 'text' in result;
}
