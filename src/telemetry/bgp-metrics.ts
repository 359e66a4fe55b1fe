import type { Metrics } from './metrics.ts';

/** A BGP session, as counted from the start of the process. */
export type BgpUse = {
  /** `address:port`, as MetalLB names peers; an IPv6 address in brackets. */
  readonly peer: string;
  /** The VRF; empty for none. */
  readonly vrf: string;
  readonly up: boolean;
  /** Prefixes that the peer has been told, and that it has not yet been told. */
  readonly announcedPrefixes: number;
  readonly pendingPrefixes: number;
  /** Times that the peer has announced a prefix. */
  readonly receivedPrefixes: number;
  readonly flaps: number;
  readonly updatesSent: number;
  readonly updatesReceived: number;
  readonly opensSent: number;
  readonly opensReceived: number;
  readonly notificationsSent: number;
  readonly notificationsReceived: number;
  readonly keepalivesSent: number;
  readonly keepalivesReceived: number;
  readonly routeRefreshSent: number;
  readonly totalSent: number;
  readonly totalReceived: number;
};

type Description = readonly [type: 'gauge' | 'counter', help: string, value: (use: BgpUse) => number];

/** MetalLB's names and labels, those of all its modes together. */
const ofMetalLB: Readonly<Record<string, Description>> = {
  session_up: ['gauge', '1 when the BGP session is established', ({ up }) => Number(up)],
  announced_prefixes_total: ['gauge', 'Prefixes announced to the peer', (use) => use.announcedPrefixes],
  pending_prefixes_total: [
    'gauge',
    'Prefixes to be announced that the peer was not told yet',
    (use) => use.pendingPrefixes,
  ],
  received_prefixes_total: ['counter', 'Times that the peer has announced a prefix', (use) => use.receivedPrefixes],
  updates_total: ['counter', 'UPDATE messages sent', ({ updatesSent }) => updatesSent],
  updates_total_received: ['counter', 'UPDATE messages received', ({ updatesReceived }) => updatesReceived],
  opens_sent: ['counter', 'OPEN messages sent', ({ opensSent }) => opensSent],
  opens_received: ['counter', 'OPEN messages received', ({ opensReceived }) => opensReceived],
  notifications_sent: ['counter', 'NOTIFICATION messages sent', ({ notificationsSent }) => notificationsSent],
  keepalives_sent: ['counter', 'KEEPALIVE messages sent', ({ keepalivesSent }) => keepalivesSent],
  keepalives_received: ['counter', 'KEEPALIVE messages received', ({ keepalivesReceived }) => keepalivesReceived],
  route_refresh_sent: ['counter', 'ROUTE-REFRESH messages sent', ({ routeRefreshSent }) => routeRefreshSent],
  total_sent: ['counter', 'BGP messages sent', ({ totalSent }) => totalSent],
  total_received: ['counter', 'BGP messages received', ({ totalReceived }) => totalReceived],
};

const ofOurs: Readonly<Record<string, Description>> = {
  session_flaps_total: ['counter', 'Times that an established BGP session was lost', ({ flaps }) => flaps],
  notifications_received_total: [
    'counter',
    'NOTIFICATION messages received',
    ({ notificationsReceived }) => notificationsReceived,
  ],
};

export type BfdUse = {
  readonly peer: string;
  readonly vrf: string;
  readonly up: boolean;
  readonly packetsReceived: number;
  readonly packetsSent: number;
  /** Of ours: that came back, and that went out. */
  readonly echoesReceived: number;
  readonly echoesSent: number;
  readonly downEvents: number;
};

/** Speaker: its BGP sessions. */
export function registerBgpMetrics(metrics: Metrics, sessions: () => Iterable<BgpUse>): void {
  const register = (prefix: string, descriptions: Readonly<Record<string, Description>>) => {
    for (const [name, [type, help, value]] of Object.entries(descriptions)) {
      metrics.register(type, { name: `${prefix}_${name}`, help, labels: ['peer', 'vrf'] }, () =>
        Array.from(sessions(), (use) => ({ labels: { peer: use.peer, vrf: use.vrf }, value: value(use) })),
      );
    }
  };
  register('metallb_bgp', ofMetalLB);
  register('garpoon_bgp', ofOurs);
}

/** Speaker: its BFD sessions with routers. */
export function registerBfdMetrics(metrics: Metrics, sessions: () => Iterable<BfdUse>): void {
  const register = (type: 'gauge' | 'counter', name: string, help: string, value: (use: BfdUse) => number) =>
    metrics.register(type, { name: `metallb_bfd_${name}`, help, labels: ['peer', 'vrf'] }, () =>
      Array.from(sessions(), (use) => ({ labels: { peer: use.peer, vrf: use.vrf }, value: value(use) })),
    );
  register('gauge', 'session_up', '1 when the BFD session is up', ({ up }) => Number(up));
  register('counter', 'control_packet_input', 'BFD control packets received', ({ packetsReceived }) => packetsReceived);
  register('counter', 'control_packet_output', 'BFD control packets sent', ({ packetsSent }) => packetsSent);
  register('counter', 'echo_packet_input', 'BFD echo packets that came back', ({ echoesReceived }) => echoesReceived);
  register('counter', 'echo_packet_output', 'BFD echo packets sent', ({ echoesSent }) => echoesSent);
  register('counter', 'session_down_events', 'Times that an up BFD session was lost', ({ downEvents }) => downEvents);
  // It was up once more than it was lost as long as it is up.
  register(
    'counter',
    'session_up_events',
    'Times that the BFD session came up',
    (use) => use.downEvents + Number(use.up),
  );
}
