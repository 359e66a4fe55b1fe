import { formatAddress } from '../ip/address.ts';
import type { Cause } from './fsm.ts';
import type { Notification } from './message.ts';
import { describeNotification } from './notification.ts';
import { defaultConnectTime, type PeerSettings } from './peer-settings.ts';
import type { SessionError } from './session-status.ts';

/** What went wrong and what to do about it, for the people who run the node and the router. */
export function describeFailure(cause: Cause, settings: PeerSettings): Omit<SessionError, 'at'> {
  switch (cause.kind) {
    case 'unanswered':
      return { text: unanswered(settings), sent: false };
    case 'lost':
      return {
        text: cause.state === 'Connect' ? notConnected(cause.error, settings) : closed(cause, settings),
        sent: false,
      };
    case 'refused':
      return { text: refusedText(cause, settings), code: cause.sent.code, subcode: cause.sent.subcode, sent: true };
    case 'notified': {
      const { code, subcode } = cause.notification;
      return { text: notified(cause.notification, settings), code, subcode, sent: false };
    }
    case 'stopped': {
      const { sent } = cause;
      if (sent === undefined) return { text: 'stopped by us, to be back soon', sent: false };
      return { text: sent.text, code: sent.code, subcode: sent.subcode, sent: true };
    }
    default:
      return cause satisfies never;
  }
}

function unanswered(settings: PeerSettings): string {
  const seconds = (settings.connectTime ?? defaultConnectTime) / 1_000;
  return (
    `no answer from ${endpointOf(settings)} within ${seconds} s (no SYN-ACK): ` +
    `is there a router, does a firewall drop TCP, and is the password the same? ${passwordHint(settings)}`
  );
}

function passwordHint({ password, name }: PeerSettings): string {
  if (password === undefined) return `BGPPeer ${name} has none; a router that expects one does not answer`;
  return `BGPPeer ${name} has one; a router with another one, or none, does not answer`;
}

function notConnected(error: Error | undefined, settings: PeerSettings): string {
  const endpoint = endpointOf(settings);
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const source = settings.sourceAddress ? formatAddress(settings.sourceAddress) : 'the source address';
  switch (code) {
    case 'ECONNREFUSED':
      return `${endpoint} refuses the connection: does BGP run there, on this address and port?`;
    case 'ETIMEDOUT':
      return unanswered(settings);
    case 'EHOSTUNREACH':
      return `${endpoint} cannot be reached (EHOSTUNREACH): it answers no ARP or NDP, or a router on the way knows none to it`;
    case 'ENETUNREACH':
      return `this node has no route to ${endpoint} (ENETUNREACH): add one, or correct the address`;
    case 'EADDRNOTAVAIL':
      return `this node does not have ${source} (EADDRNOTAVAIL): correct sourceAddress of BGPPeer ${settings.name}`;
    case 'ENODEV':
      return `this node has no interface ${settings.device ?? settings.interface ?? ''} (ENODEV): correct vrf or interface of BGPPeer ${settings.name}`;
    case 'ECONNRESET':
    case 'EPIPE':
      return `${endpoint} resets the connection at once: does it know this node as a neighbor?`;
    case 'EACCES':
    case 'EPERM':
      return `the kernel does not allow the connection to ${endpoint} (${code}): a firewall of this node, or a missing capability of the pod`;
    default:
      return `cannot connect to ${endpoint}: ${error?.message ?? 'no reason is known'}`;
  }
}

function closed({ state, error }: Extract<Cause, { kind: 'lost' }>, settings: PeerSettings): string {
  const endpoint = endpointOf(settings);
  const how = error === undefined ? 'closed the connection' : `connection broke (${codeOf(error)})`;
  if (state === 'Established') return `${endpoint}: ${how} without a NOTIFICATION: it was restarted, or went down`;
  return (
    `${endpoint}: ${how} before the session was up, without a reason: ` +
    `does it know this node as a neighbor, by the address that we come from and with AS ${settings.localAsn}?`
  );
}

function refusedText({ sent, state }: Extract<Cause, { kind: 'refused' }>, settings: PeerSettings): string {
  const waitedForOpen = sent.code === 4 && state === 'OpenSent';
  if (!waitedForOpen) return sent.text;
  return (
    `${endpointOf(settings)} takes the connection and sends no OPEN: ` +
    `it drops ours (its ttl-security, while our packets leave with TTL ${settings.ttl}), or is passive and hangs`
  );
}

function notified({ code, subcode, data }: Notification, settings: PeerSettings): string {
  const hint = hintFor(code, subcode, settings);
  return `the router says ${describeNotification(code, subcode, data)}${hint && `: ${hint}`}`;
}

function hintFor(code: number, subcode: number, settings: PeerSettings): string {
  const { name, localAsn, holdTime } = settings;
  switch (`${code}/${subcode}`) {
    case '2/2':
      return `we said AS ${localAsn}, it expects another: correct myASN (or localASN) of BGPPeer ${name}, or remote-as at the router`;
    case '2/3':
      return `it does not accept our router ID: set another routerID in BGPPeer ${name}`;
    case '2/5':
      return 'it wants authentication that we do not know: remove it, or use a TCP MD5 password';
    case '2/6':
      return `we offered a hold time of ${holdTime} s: set one that the router allows as holdTime of BGPPeer ${name}`;
    case '2/4':
    case '2/7':
      return 'the next attempts offer fewer capabilities, and then all again';
    case '4/0':
      return 'it has not heard from us for its hold time: packets are lost on the way, or this node stood still';
    case '6/1':
      return 'raise its limit of prefixes, or announce fewer';
    case '6/2':
      return 'somebody has shut the session there';
    case '6/3':
    case '6/5':
      return 'this node is not, or no longer, configured there';
    case '6/10':
      return 'its BFD does not hear us';
    default:
      return '';
  }
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.message;
}

function endpointOf({ address, port, interface: zone }: PeerSettings): string {
  const host = `${formatAddress(address)}${zone === undefined ? '' : `%${zone}`}`;
  return address.family === 4 ? `${host}:${port}` : `[${host}]:${port}`;
}
