import { type MessageError, messageError } from './message-error.ts';
import { hardResetData, notifications, shutdownCommunication } from './notification.ts';
import type { SessionState } from './session-status.ts';
import { messageTypes, noBytes } from './wire.ts';

/** What a session, and not a message, finds wrong: each is the NOTIFICATION that ends it, and why in words. */

export const holdTimeExpired = messageError(
  notifications.holdTimeExpired,
  'nothing was heard from the router for the hold time: it is down, or packets are lost on the way',
);

/** RFC 9687. */
export const sendHoldTimeExpired = messageError(
  notifications.sendHoldTimeExpired,
  'the router has stopped reading what we send: look at its load, and at the MTU of the way',
);

export const collisionResolution = messageError(
  notifications.connectionCollision,
  'two connections at once, and the other one stays',
);

/** RFC 9384. */
export const bfdIsDown = messageError(
  notifications.bfdDown,
  'BFD is down: the router, or the way to it, does not answer any more',
);

const unexpected = {
  OpenSent: notifications.unexpectedInOpenSent,
  OpenConfirm: notifications.unexpectedInOpenConfirm,
  Established: notifications.unexpectedInEstablished,
};

/** RFC 6608: the subcode says in which state, the data what came. */
export function unexpectedMessage(type: 'open' | 'update' | 'keepalive' | 'routeRefresh', state: SessionState) {
  const kind = unexpected[state as keyof typeof unexpected] ?? { code: 5, subcode: 0 };
  return messageError(kind, `a message of the type ${type} in the state ${state}`, Uint8Array.of(messageTypes[type]));
}

/** For what cannot happen while the timers are kept, and still has to end somehow. */
export function unexpectedEvent(event: string, state: SessionState): MessageError {
  return messageError({ code: 5, subcode: 0 }, `${event} in the state ${state}`);
}

/** RFC 4486, with the words of RFC 9003. */
export function ceaseFor(kind: 'administrativeShutdown' | 'administrativeReset', words: string): MessageError {
  const data = words === '' ? noBytes : shutdownCommunication(words);
  return messageError(notifications[kind], words === '' ? 'stopped by us' : `stopped by us: ${words}`, data);
}

/** RFC 8538 section 3: the peer forgets our routes, though it would keep them over another NOTIFICATION. */
export function hardReset(inside: MessageError): MessageError {
  return messageError(notifications.hardReset, inside.text, hardResetData(inside));
}
