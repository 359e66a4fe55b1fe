import { newSessionCounters } from '../../bgp/session-status.ts';
import { formatAddress } from '../../ip/address.ts';
import type { BfdSessionState } from '../../layer2/bfd.ts';
import type { BfdUse, BgpUse } from '../../telemetry/bgp-metrics.ts';
import type { PeerSessions } from './peer-sessions.ts';

type Sessions = ReturnType<PeerSessions['sessions']>;

const none = { 4: 0, 6: 0 };
const notBegun = {
  state: 'Idle',
  counters: newSessionCounters(),
  announced: none,
  pending: none,
  received: none,
  flaps: 0,
} as const;

/** What metrics say of the sessions, those included that wait for their peer to be heard. */
export function* bgpUses(sessions: Sessions): Generator<BgpUse> {
  for (const session of sessions.values()) {
    const { state, counters, announced, pending, received, flaps } = session.status() ?? notBegun;
    yield {
      ...placeOf(session),
      ...counters,
      up: state === 'Established',
      announcedPrefixes: announced[4] + announced[6],
      pendingPrefixes: pending[4] + pending[6],
      receivedPrefixes: received[4] + received[6],
      flaps,
    };
  }
}

export function* bfdUses(sessions: Sessions, states: ReadonlyMap<string, BfdSessionState>): Generator<BfdUse> {
  for (const [name, session] of sessions) {
    const state = states.get(name);
    if (state === undefined) continue;
    yield {
      ...placeOf(session),
      up: state.state === 'up',
      packetsReceived: state.received,
      packetsSent: state.sent,
      echoesReceived: state.echo.received,
      echoesSent: state.echo.sent,
      downEvents: state.flaps,
    };
  }
}

/** As Go writes host and port. */
function placeOf({
  peering: { wish },
  address,
}: Pick<Sessions extends ReadonlyMap<string, infer S> ? S : never, 'peering' | 'address'>) {
  const host = address === undefined ? (wish.interface ?? '') : formatAddress(address);
  return { peer: `${host.includes(':') ? `[${host}]` : host}:${wish.port}`, vrf: wish.device ?? '' };
}
