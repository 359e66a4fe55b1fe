import type {
  BGPSessionStatusContent,
  FamilyCounts,
  SessionBfd,
  SessionFailure,
} from '../../api/bgp-session-status.ts';
import type { PerFamily, SessionStatus } from '../../bgp/session-status.ts';
import { formatAddress } from '../../ip/address.ts';
import type { BfdSessionState } from '../../layer2/bfd.ts';
import { formatTimestamp } from '../../runtime/clock.ts';

/** What is known of the session with one BGPPeer. */
export type PeerFacts = {
  readonly peer: string;
  /** As the BGPPeer gives it; an interface by its name. */
  readonly peerAddress: string;
  readonly localAsn: number;
  /** Undefined while there is no session, because of `problem`. */
  readonly session: SessionStatus | undefined;
  /** What is missing for a session, or is not announced over it, and what to do. */
  readonly problem: string | undefined;
  /** Since when, if there is no session; wall time in milliseconds. */
  readonly since: number;
  readonly bfd: BfdSessionState | undefined;
};

/** The status to be written: null takes a field away. */
export type WantedSessionStatus = {
  readonly [Field in keyof BGPSessionStatusContent]-?: NonNullable<BGPSessionStatusContent[Field]> | null;
};

export function sessionStatusOf(node: string, facts: PeerFacts): WantedSessionStatus {
  const { peer, localAsn, session, bfd } = facts;
  const isUp = session?.state === 'Established';
  return {
    node,
    peer,
    state: session?.state ?? 'NotStarted',
    since: formatTimestamp(session?.since ?? facts.since),
    problem: problemOf(facts) ?? null,
    peerAddress: session?.remoteAddress === undefined ? facts.peerAddress : formatAddress(session.remoteAddress),
    peerASN: session?.peerAsn ?? null,
    peerRouterID: session?.peerRouterId === undefined ? null : routerIdText(session.peerRouterId),
    localAddress: session?.localAddress === undefined ? null : formatAddress(session.localAddress),
    localASN: localAsn,
    holdTimeSeconds: (isUp ? session.holdTime : undefined) ?? null,
    keepaliveTimeSeconds: (isUp ? session.keepaliveTime : undefined) ?? null,
    families: isUp ? session.families.map((family) => `ipv${family}`) : null,
    localCapabilities: isUp ? session.capabilities.ours : null,
    peerCapabilities: isUp ? session.capabilities.theirs : null,
    prefixes: session
      ? { announced: counts(session.announced), pending: counts(session.pending), received: counts(session.received) }
      : null,
    flaps: session?.flaps ?? null,
    lastError: session?.lastError ? failureOf(session.lastError) : null,
    nextAttempt: isUp || session?.nextAttempt === undefined ? null : formatTimestamp(session.nextAttempt),
    bfd: bfd ? bfdOf(bfd) : null,
  };
}

/**
 * Equal for what is not to be written again. What the peer announces is counted for ever, and told on other occasions or
 * when it has doubled; when we connect again changes with every attempt.
 */
export function sessionStatusText(
  status: { readonly [Field in keyof BGPSessionStatusContent]?: BGPSessionStatusContent[Field] | null } | undefined,
): string {
  const { node, peer, state, since, problem, peerAddress, peerASN, peerRouterID, localAddress } = status ?? {};
  const { localASN, holdTimeSeconds, keepaliveTimeSeconds, families, localCapabilities, peerCapabilities } =
    status ?? {};
  const { prefixes, flaps, lastError, bfd } = status ?? {};
  return JSON.stringify([
    [node, peer, state, since, problem, peerAddress, peerASN, peerRouterID, localAddress, localASN].map(orNull),
    [holdTimeSeconds, keepaliveTimeSeconds, families, localCapabilities, peerCapabilities, flaps].map(orNull),
    prefixes && [pairOf(prefixes.announced), pairOf(prefixes.pending), pairOf(prefixes.received).map(magnitude)],
    lastError && [lastError.message, orNull(lastError.code), orNull(lastError.subcode), lastError.by],
    bfd && [bfd.state, bfd.since, bfd.diagnostic, bfd.detectionTimeMilliseconds, bfd.flaps],
  ]);
}

function problemOf({ problem, session }: PeerFacts): string | undefined {
  if (problem !== undefined || session === undefined) return problem;
  if (session.state !== 'Established') return session.lastError?.text;
  return [session.withheld[4], session.withheld[6], session.oversized].find((why) => why !== undefined);
}

function failureOf({ text, at, code, subcode, sent }: NonNullable<SessionStatus['lastError']>): SessionFailure {
  return {
    message: text,
    time: formatTimestamp(at),
    ...(code === undefined ? {} : { code }),
    ...(subcode === undefined ? {} : { subcode }),
    by: sent ? 'us' : 'peer',
  };
}

function bfdOf(bfd: BfdSessionState): SessionBfd {
  return {
    state: bfd.state,
    since: formatTimestamp(bfd.since),
    diagnostic: bfd.diagnostic,
    transmitIntervalMilliseconds: bfd.transmitInterval,
    receiveIntervalMilliseconds: bfd.receiveInterval,
    detectionTimeMilliseconds: bfd.detectionTime,
    flaps: bfd.flaps,
  };
}

function counts(by: PerFamily): FamilyCounts {
  return { ipv4: by[4], ipv6: by[6] };
}

function pairOf({ ipv4 = 0, ipv6 = 0 }: Partial<FamilyCounts> = {}): readonly [number, number] {
  return [ipv4, ipv6];
}

function magnitude(count: number): number {
  return Math.floor(Math.log2(count + 1));
}

/** 32 bits, as they are always written. */
function routerIdText(id: number): string {
  return formatAddress({ family: 4, value: BigInt(id) });
}

function orNull(value: unknown): unknown {
  return value ?? null;
}
