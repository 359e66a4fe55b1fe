import type { BFDProfile } from '../../config/config.ts';
import { type Address, formatAddress } from '../../ip/address.ts';
import { type BfdEvent, type BfdSession, type BfdSessionState, packBfdSessions } from '../../layer2/bfd.ts';
import type { BfdShare } from '../../layer2/bfd-sessions.ts';
import type { Logger } from '../../runtime/logger.ts';
import { valueText } from '../value-text.ts';

/** RFC 5881 section 4, RFC 5883 section 5. */
const ports = { singleHop: 3784, multihop: 4784 } as const;

/** A session that a BGPPeer asks for. */
export type RouterBfdWish = {
  /** The BGPPeer. */
  readonly peer: string;
  readonly address: Address;
  readonly local?: Address | undefined;
  readonly interface?: string | undefined;
  readonly profile: BFDProfile;
  readonly multihop: boolean;
};

export type RouterBfdOptions = {
  readonly share: BfdShare;
  /** The path to the peer is gone: its BGP session is to end at once (RFC 5882 section 10.1). */
  readonly onLost: (peer: string, why: string) => void;
  /** Something is to be told of the peer's session. */
  readonly onChange: (peer: string) => void;
  readonly log: Logger;
};

/**
 * The BFD sessions with routers, one for each place: BGPPeers that are at the same one share it, with the profile of the
 * first by name. They are kept by the native thread, whatever JavaScript does, and yet tied to the responder's dead man's
 * switch: a control plane that hangs does not keep its routes alive.
 */
export class RouterBfd {
  readonly #options: RouterBfdOptions;
  /** The id of a session → the BGPPeers that it is for. */
  #peers: ReadonlyMap<string, readonly string[]> = new Map();
  readonly #up = new Set<string>();
  /** BGPPeers of which it has been said. */
  readonly #impossible = new Set<string>();
  #handed = '';
  /** Peers and profiles that were warned of. */
  #withoutEcho: ReadonlySet<string> = new Set();

  constructor(options: RouterBfdOptions) {
    this.#options = options;
  }

  /** These are all. What stays is not disturbed. */
  set(wishes: readonly RouterBfdWish[]): void {
    const { share, log } = this.#options;
    const byPlace = Map.groupBy(
      wishes.toSorted((a, b) => (a.peer < b.peer ? -1 : 1)),
      ({ address, interface: name = '', multihop }) => `${formatAddress(address)}%${name} ${multihop}`,
    );
    const groups = [...byPlace.values()].filter(([first]) => this.#isPossible(first!));
    const sessions = groups.map(([first]) => sessionOf(first!));
    const handed = valueText(sessions);
    this.#peers = new Map(groups.map((group) => [group[0]!.peer, group.map(({ peer }) => peer)]));
    for (const id of this.#up) if (!this.#peers.has(id)) this.#up.delete(id);
    this.#warnOfEcho(groups.map(([first]) => first!));
    if (handed === this.#handed) return;
    this.#handed = handed;
    for (const [first, ...others] of groups) {
      const differing = others.filter(({ profile }) => profile.name !== first!.profile.name);
      if (differing.length === 0) continue;
      const peers = differing.map(({ peer }) => peer);
      log.warn('bfd profile not in use', { peers, because: `${first!.peer} is at the same place with another` });
    }
    try {
      share.setBfdSessions(sessions);
    } catch (error) {
      log.error('bfd sessions refused', { peers: sessions.map(({ id }) => id), error });
    }
  }

  /** Once for each peer and profile, until that is mended. */
  #warnOfEcho(wishes: readonly RouterBfdWish[]): void {
    const unable = wishes.filter(({ address, multihop, profile }) => profile.echoMode && !hasEcho(address, multihop));
    const keyOf = ({ peer, profile }: RouterBfdWish) => `${peer} ${profile.name}`;
    for (const wish of unable) {
      if (this.#withoutEcho.has(keyOf(wish))) continue;
      this.#options.log.warn('bfd echo not in use', {
        object: `BFDProfile ${wish.profile.name}`,
        field: 'spec.echoMode',
        value: true,
        peer: wish.peer,
        because: wish.multihop
          ? 'the peer is several hops away, and there is no echo beyond one'
          : `the peer is reached by ${formatAddress(wish.address)}, and there is no echo over IPv6`,
        remedy: 'set echoMode to false, or give the peer a profile of its own without it',
      });
    }
    this.#withoutEcho = new Set(unable.map(keyOf));
  }

  /** Ends them all: the routers are told that they are switched off. */
  close(): void {
    this.set([]);
  }

  /** What one BGPPeer asks for that cannot be is not to cost the others theirs. */
  #isPossible(wish: RouterBfdWish): boolean {
    try {
      packBfdSessions([sessionOf(wish)]);
      this.#impossible.delete(wish.peer);
      return true;
    } catch (error) {
      if (!this.#impossible.has(wish.peer))
        this.#options.log.error('bfd session not possible', { peer: wish.peer, error });
      this.#impossible.add(wish.peer);
      return false;
    }
  }

  /** An event of one of these sessions. */
  see(event: BfdEvent): void {
    const peers = this.#peers.get(event.id) ?? [];
    const wasUp = this.#up.has(event.id);
    if (event.state === 'up') this.#up.add(event.id);
    else this.#up.delete(event.id);
    // A session that was never up, or that is switched off, says nothing about the path (RFC 5882 section 4.2).
    const isLost = wasUp && event.state === 'down' && event.remoteState !== 'adminDown';
    for (const peer of peers) {
      if (isLost) this.#options.onLost(peer, `BFD session down: ${words[event.diagnostic] ?? event.diagnostic}`);
      this.#options.onChange(peer);
    }
  }

  /** By BGPPeer. */
  states(): ReadonlyMap<string, BfdSessionState> {
    const all = this.#options.share.bfdSessions();
    return new Map(all.flatMap((state) => (this.#peers.get(state.id) ?? []).map((peer) => [peer, state] as const)));
  }
}

/** RFC 5883 section 3 has none; and what an IPv6 router returns of it is its own affair. */
const hasEcho = ({ family }: Address, multihop: boolean) => family === 4 && !multihop;

function sessionOf({ peer, address, local, interface: name, profile, multihop }: RouterBfdWish): BfdSession {
  const { minimumTtl } = profile;
  return {
    id: peer,
    peer: address,
    ...(local === undefined ? {} : { local }),
    ...(name === undefined ? {} : { interface: name }),
    port: multihop ? ports.multihop : ports.singleHop,
    multihop,
    ...(multihop && minimumTtl !== undefined ? { minimumTtl } : {}),
    desiredMinTx: profile.transmitInterval,
    requiredMinRx: profile.receiveInterval,
    detectMultiplier: profile.detectMultiplier,
    passive: profile.passiveMode,
    ...(profile.echoMode && hasEcho(address, multihop) ? { echo: { interval: profile.echoInterval } } : {}),
    tiedToLease: true,
  };
}

const words: Readonly<Partial<Record<BfdEvent['diagnostic'], string>>> = {
  echoFailed: 'what was sent to come back by way of the peer did not',
  detectionTimeExpired: 'nothing was heard of the peer for the detection time',
  neighborSignaledDown: 'the peer does not hear us',
};
