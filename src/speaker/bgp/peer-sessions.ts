import type { Route } from '../../bgp/route.ts';
import type { StopKind } from '../../bgp/session.ts';
import type { SessionStatus } from '../../bgp/session-status.ts';
import type { IncomingConnection, Transport } from '../../bgp/transport.ts';
import { type Address, formatAddress, sameAddress } from '../../ip/address.ts';
import type { Prefix } from '../../ip/prefix.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Random } from '../../runtime/random.ts';
import { PeerSession } from './peer-session.ts';
import type { PeerFault, Peering, PeerWish } from './peers.ts';
import type { RouterBfd, RouterBfdWish } from './router-bfd.ts';
import type { PeerFacts } from './session-status-content.ts';

/** Finds the peers that are only known by the interface they are behind. */
export type NeighborDiscovery = {
  /** On these interfaces, and no others. */
  readonly watch: (interfaces: ReadonlySet<string>) => void;
  readonly neighborOn: (name: string) => Address | undefined;
};

export type PeerSessionsOptions = {
  readonly transport: Transport;
  readonly discovery: NeighborDiscovery;
  readonly bfd: RouterBfd;
  readonly routesTo: (peer: string) => Iterable<Route>;
  /** Something is to be told of the session with this BGPPeer. */
  readonly onChange: (peer: string, status: SessionStatus | undefined) => void;
  /** There is no session with a peer on a link, and another is heard there: to be looked for. */
  readonly onElsewhere: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

type Missing = { readonly fault: PeerFault; readonly since: number };

/** The sessions of this node with all its BGPPeers. A change of one does not disturb the others. */
export class PeerSessions {
  readonly #options: PeerSessionsOptions;
  readonly #sessions = new Map<string, PeerSession>();
  /** BGPPeers with which there cannot be a session, and why. */
  #missing: ReadonlyMap<string, Missing> = new Map();
  readonly #since = new Map<string, number>();
  /** Those whose BGPPeer is gone. */
  readonly #ending = new Map<string, Promise<void>>();

  constructor(options: PeerSessionsOptions) {
    this.#options = options;
  }

  /**
   * Begins to speak to those that are new. To be called when it is known what they are to be told: a router takes what it
   * is told first for all there is.
   */
  start(): void {
    for (const [name, session] of this.#sessions) {
      // One of the same name may still be saying goodbye to the same router.
      const before = this.#ending.get(name) ?? Promise.resolve();
      void before.then(() => {
        if (this.#sessions.get(name) === session) session.start();
      });
    }
  }

  /** These are all BGPPeers of this node; with the faulty ones there is no session until they are mended. */
  set(peerings: readonly Peering[], faults: readonly PeerFault[]): void {
    const { clock, discovery } = this.#options;
    const wanted = new Map(peerings.map((peering) => [peering.wish.name, peering]));
    const before = this.#missing;
    this.#missing = new Map(
      faults.map((fault) => [fault.peer, { fault, since: before.get(fault.peer)?.since ?? clock.wallTime() }]),
    );
    const touched = new Set([...before.keys(), ...this.#missing.keys()]);
    // That a Secret is still being read is nothing to tell.
    for (const { peer, reason } of faults) if (reason === 'passwordUnread') touched.delete(peer);
    for (const [name, session] of this.#sessions) {
      if (wanted.has(name)) continue;
      this.#sessions.delete(name);
      this.#since.delete(name);
      touched.add(name);
      this.#end(name, session);
    }
    for (const [name, peering] of wanted) {
      const session = this.#sessions.get(name);
      if (session !== undefined) session.change(peering);
      else this.#sessions.set(name, this.#newSession(name, peering));
      touched.add(name);
    }
    discovery.watch(new Set([...this.#sessions.values()].flatMap(({ peering }) => linkOf(peering.wish) ?? [])));
    this.look();
    for (const name of touched) this.#options.onChange(name, this.#sessions.get(name)?.status());
  }

  /** A peer on a link may be another, or its address may. */
  look(): void {
    const { discovery, bfd } = this.#options;
    for (const session of this.#sessions.values()) {
      const link = linkOf(session.peering.wish);
      if (link !== undefined) session.locate(discovery.neighborOn(link));
    }
    bfd.set([...this.#sessions.values()].flatMap((session) => bfdWishOf(session) ?? []));
  }

  /** Some routes of the peer are others. */
  tell(peer: string, announce: Iterable<Route>, withdraw: Iterable<Prefix>): void {
    this.#sessions.get(peer)?.tell(announce, withdraw);
  }

  /** All routes of all peers may be others. */
  refill(): void {
    for (const session of this.#sessions.values()) session.refill();
  }

  /**
   * The peer at this address, and on this link if it is link-local, has connected to an address of ours. Of several
   * BGPPeers at one place each has a source address of its own. False: it is not wanted.
   */
  accept(from: Address, connection: IncomingConnection, link: string | undefined, to: Address): boolean {
    const peers = [...this.#sessions.values()].filter(({ address, peering: { wish } }) => {
      const isThere = link === undefined || linkOf(wish) === undefined || linkOf(wish) === link;
      const isHere = wish.sourceAddress === undefined || sameAddress(wish.sourceAddress, to);
      return isThere && isHere && address !== undefined && sameAddress(address, from);
    });
    return peers.some((session) => session.accept(connection));
  }

  bfdDown(peer: string): void {
    this.#sessions.get(peer)?.bfdDown();
  }

  /** Whether nothing is left to be sent to anybody. */
  get isFlushed(): boolean {
    return [...this.#sessions.values()].every((session) => session.isFlushed);
  }

  /** Those that keep our routes while we are away. */
  keeping(): readonly string[] {
    return [...this.#sessions].flatMap(([name, session]) => (session.keepsRoutes ? [name] : []));
  }

  /** Of those with which there is, or is to be, a session. */
  sessions(): ReadonlyMap<string, Pick<PeerSession, 'peering' | 'address' | 'status' | 'hasTold'>> {
    return this.#sessions;
  }

  /** Undefined when there is no such BGPPeer for this node. */
  factsOf(peer: string): PeerFacts | undefined {
    const missing = this.#missing.get(peer);
    const none = { session: undefined, bfd: undefined };
    if (missing !== undefined) {
      const { fault, since } = missing;
      return { peer, peerAddress: fault.peerAddress, localAsn: fault.localAsn, problem: fault.text, since, ...none };
    }
    const session = this.#sessions.get(peer);
    if (session === undefined) return undefined;
    const { wish } = session.peering;
    const status = session.status();
    const link = linkOf(wish);
    const isLookedFor = status === undefined && link !== undefined;
    const remedy = 'does it send router advertisements, and is it at the other end of this link?';
    return {
      peer,
      peerAddress: wish.address === undefined ? (link ?? '') : formatAddress(wish.address),
      localAsn: wish.localAsn,
      session: status,
      problem: isLookedFor ? `no router heard on ${link} yet: ${remedy}` : undefined,
      since: this.#since.get(peer) ?? 0,
      bfd: this.#options.bfd.states().get(peer),
    };
  }

  /** Resolves when no connection is left. */
  async close(how: (peer: string) => StopKind, text: string): Promise<void> {
    const closing = [...this.#sessions].map(([name, session]) => session.close(how(name), text));
    await Promise.all([...closing, ...this.#ending.values()]);
  }

  #newSession(name: string, peering: Peering): PeerSession {
    const { transport, routesTo, onChange, clock, random, log } = this.#options;
    this.#since.set(name, clock.wallTime());
    return new PeerSession(peering, {
      transport,
      routes: () => routesTo(name),
      onChange: (status) => {
        if (status?.state !== 'Established') this.#lookSoon(name);
        onChange(name, status);
      },
      clock,
      random,
      log,
    });
  }

  /** Without a session a peer on a link is whoever is heard now. Not from within what has led here. */
  #lookSoon(name: string): void {
    const session = this.#sessions.get(name);
    const link = session && linkOf(session.peering.wish);
    if (link === undefined) return;
    queueMicrotask(() => {
      const heard = this.#options.discovery.neighborOn(link);
      if (heard !== undefined && heard.value !== session?.address?.value) this.#options.onElsewhere();
    });
  }

  #end(name: string, session: PeerSession): void {
    const why = this.#missing.has(name)
      ? 'something is missing for it at this node'
      : 'no BGPPeer asks for it any more';
    const ended = session.close('shutdown', why).then(() => {
      if (this.#ending.get(name) === ended) this.#ending.delete(name);
    });
    this.#ending.set(name, ended);
  }
}

/** The interface of a peer that has no other place. */
function linkOf({ address, interface: name }: PeerWish): string | undefined {
  return address === undefined ? name : undefined;
}

function bfdWishOf({ peering: { wish, bfd }, address }: PeerSession): RouterBfdWish | undefined {
  if (bfd === undefined || address === undefined) return undefined;
  return {
    peer: wish.name,
    address,
    local: wish.sourceAddress,
    interface: wish.interface ?? wish.device,
    profile: bfd.profile,
    multihop: bfd.multihop,
  };
}
