import type { Family } from '../ip/address.ts';
import type { Timing } from './fsm.ts';
import type { Capability, GracefulRestartCapability, Open } from './message.ts';
import { type MessageError, messageError } from './message-error.ts';
import { notifications } from './notification.ts';
import type { PeerSettings } from './peer-settings.ts';

/**
 * How much our OPEN offers. A peer that refuses optional parameters (2/4) or capabilities (2/7) is offered less the next
 * time: only what routes need, then none at all (RFC 5492 section 4), then all again: the router may have been mended.
 */
export type Offer = 'all' | 'essential' | 'none';

/** What both OPENs together make of the session. */
export type Negotiated = {
  readonly peer: Open;
  readonly internal: boolean;
  readonly timing: Timing;
  readonly families: readonly Family[];
  readonly fourOctetAsn: boolean;
  /** IPv4 routes may have an IPv6 next hop (RFC 8950). */
  readonly extendedNextHop: boolean;
  readonly routeRefresh: boolean;
  readonly enhancedRouteRefresh: boolean;
  /** The peer keeps our routes while we are away (RFC 4724). */
  readonly gracefulRestart: boolean;
  /** And over a NOTIFICATION (RFC 8538). */
  readonly gracefulNotification: boolean;
};

export function lesserOffer(offer: Offer): Offer {
  return offer === 'all' ? 'essential' : offer === 'essential' ? 'none' : 'all';
}

export function ourOpen(settings: PeerSettings, offer: Offer): Open {
  const { localAsn: asn, holdTime, routerId } = settings;
  return { type: 'open', asn, holdTime, routerId, capabilities: offered(settings, offer) };
}

/** What the session is to be, or why the peer is not the one we want. What no peer may say the decoder has refused. */
export function negotiate(settings: PeerSettings, ours: Open, peer: Open): Negotiated | MessageError {
  const fault = asnFault(settings, peer) ?? identifierFault(settings, peer);
  if (fault) return fault;
  const families = familiesOf(ours).filter((family) => familiesOf(peer).includes(family));
  if (families.length === 0) return noCommonFamily(settings, ours, peer);
  const both = (kind: Capability['kind']) => has(ours, kind) && has(peer, kind);
  const restart = gracefulRestartOf(peer);
  // Who only helps others to restart lists no families (RFC 4724 section 3).
  const gracefulRestart = both('graceful-restart');
  return {
    peer,
    internal: peer.asn === settings.localAsn,
    timing: timingOf(settings, peer),
    families,
    fourOctetAsn: both('four-octet-asn'),
    extendedNextHop: takesExtendedNextHop(ours) && takesExtendedNextHop(peer),
    routeRefresh: both('route-refresh'),
    enhancedRouteRefresh: both('enhanced-route-refresh'),
    gracefulRestart,
    gracefulNotification: gracefulRestart && restart?.notification === true,
  };
}

/** Names for people, in the order of the OPEN, each once. */
export function capabilityNames(open: Open): string[] {
  const names = open.capabilities.flatMap((capability) => {
    switch (capability.kind) {
      case 'multiprotocol':
        return [`IPv${capability.family} unicast`];
      case 'extended-next-hop':
        return capability.tuples.map(({ family, nextHop }) => `IPv${family} over IPv${nextHop} next hops`);
      case 'four-octet-asn':
        return ['4-byte AS'];
      case 'graceful-restart':
        return [
          `graceful restart ${capability.restartTime} s`,
          ...(capability.notification ? ['graceful notification'] : []),
        ];
      case 'route-refresh':
      case 'enhanced-route-refresh':
      case 'extended-message':
        return [capability.kind.replaceAll('-', ' ')];
      case 'unknown':
        return [`code ${capability.code}`];
      default:
        return capability satisfies never;
    }
  });
  // A message has room for thousands.
  return [...new Set(names)];
}

function offered(settings: PeerSettings, offer: Offer): Capability[] {
  if (offer === 'none') return [];
  const { families, localAsn } = settings;
  const essential: Capability[] = [
    ...families.map((family) => ({ kind: 'multiprotocol', family }) as const),
    { kind: 'four-octet-asn', asn: localAsn },
  ];
  const nextHop: Capability = { kind: 'extended-next-hop', tuples: [{ family: 4, nextHop: 6 }] };
  if (settings.extendedNextHop && families.includes(4)) essential.push(nextHop);
  if (offer === 'essential') return essential;
  const optional: Capability[] = [{ kind: 'route-refresh' }, { kind: 'enhanced-route-refresh' }];
  const restart = settings.gracefulRestart;
  if (restart !== undefined) {
    optional.push({
      kind: 'graceful-restart',
      restarted: restart.restarted,
      notification: true,
      restartTime: Math.min(restart.restartTime, 4095),
      // The kernel forwards to the backends whether we run or not.
      families: families.map((family) => ({ family, forwardingPreserved: true })),
    });
  }
  return [...essential, ...optional];
}

function asnFault({ name, peerAsn, localAsn }: PeerSettings, { asn }: Open): MessageError | undefined {
  const fault = (text: string) => messageError(notifications.badPeerAs, text);
  if (peerAsn === 'internal') {
    if (asn === localAsn) return undefined;
    return fault(
      `the router says AS ${asn}, and BGPPeer ${name} with dynamicASN internal expects ours, ${localAsn}: ` +
        `set dynamicASN to external or peerASN to ${asn}, or correct the AS at the router`,
    );
  }
  if (peerAsn === 'external') {
    if (asn !== localAsn) return undefined;
    return fault(
      `the router says AS ${asn}, which is ours, and BGPPeer ${name} with dynamicASN external expects another: ` +
        `set dynamicASN to internal, or correct myASN or the AS at the router`,
    );
  }
  if (asn === peerAsn) return undefined;
  return fault(
    `peer says AS ${asn}, BGPPeer ${name} says ${peerAsn}: set peerASN to ${asn}, or correct the AS at the router`,
  );
}

/** RFC 6286: within an AS no two speakers have the same. */
function identifierFault({ routerId, localAsn }: PeerSettings, peer: Open): MessageError | undefined {
  if (peer.routerId !== routerId || peer.asn !== localAsn) return undefined;
  const text = `the router has our router ID ${dotted(routerId)}: set another routerID in the BGPPeer, or at the router`;
  return messageError(notifications.badRouterId, text);
}

/** 2/7, with the capabilities that we miss at the peer (RFC 5492 section 5). */
function noCommonFamily({ name }: PeerSettings, ours: Open, peer: Open): MessageError {
  const names = (open: Open) =>
    familiesOf(open)
      .map((family) => `IPv${family}`)
      .join(' and ');
  const data = Uint8Array.from(familiesOf(ours).flatMap((family) => [1, 4, 0, family === 4 ? 1 : 2, 0, 1]));
  const text =
    `the router takes ${names(peer) || 'no unicast'} routes, BGPPeer ${name} is for ${names(ours)}: ` +
    `activate the address family at the router`;
  return messageError(notifications.unsupportedCapability, text, data);
}

/** Without a multiprotocol capability it is IPv4, as in RFC 4271. */
function familiesOf({ capabilities }: Open): Family[] {
  const families = capabilities.flatMap((each) => (each.kind === 'multiprotocol' ? [each.family] : []));
  const others = capabilities.some((each) => each.kind === 'unknown' && each.code === 1);
  return families.length === 0 && !others ? [4] : families;
}

/** The shorter hold time; KEEPALIVEs at a third of it or more often, but not more often than once a second. */
function timingOf(settings: PeerSettings, peer: Open): Timing {
  const holdTime = Math.min(settings.holdTime, peer.holdTime);
  if (holdTime === 0) return { holdTime: 0, keepaliveTime: 0 };
  return { holdTime, keepaliveTime: Math.max(1, Math.min(settings.keepaliveTime || Infinity, holdTime / 3)) };
}

function takesExtendedNextHop({ capabilities }: Open): boolean {
  return capabilities.some(
    (each) =>
      each.kind === 'extended-next-hop' && each.tuples.some((tuple) => tuple.family === 4 && tuple.nextHop === 6),
  );
}

function gracefulRestartOf({ capabilities }: Open): GracefulRestartCapability | undefined {
  return capabilities.find((each) => each.kind === 'graceful-restart');
}

function has({ capabilities }: Open, kind: Capability['kind']): boolean {
  return capabilities.some((each) => each.kind === kind);
}

function dotted(routerId: number): string {
  return [24, 16, 8, 0].map((shift) => (routerId >>> shift) & 255).join('.');
}
