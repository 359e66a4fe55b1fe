import { type Address, parseAddress } from '../ip/address.ts';
import type { BfdEvent, BfdSession } from '../layer2/bfd.ts';
import type { Responder } from '../layer2/responder.ts';
import type { Logger } from '../runtime/logger.ts';

/** Up to so many speakers, each has a session with every other. */
const fullMesh = 32;
/** Beyond that, with so many before and after it by name, around the ring of names. */
const neighbours = 3;

export type PeerSessionsOptions = {
  readonly responder: Pick<Responder, 'setBfdSessions'>;
  /** Our name and our address in the ring. */
  readonly node: string;
  readonly local: Address;
  /** UDP, the same on all nodes. */
  readonly port: number;
  /** How often each side sends, in milliseconds, and how many packets may be missed. */
  readonly interval: number;
  readonly multiplier: number;
  /** The key of the sessions; undefined: they are not authenticated. */
  readonly key: Uint8Array | undefined;
  /** Whether the member is a speaker of ours: those of MetalLB have no sessions. */
  readonly isOurs: (meta: Uint8Array) => boolean;
  readonly log: Logger;
};

export type SessionPeer = { readonly name: string; readonly address: string; readonly meta: Uint8Array };

/**
 * The BFD sessions between speakers (RFC 5880), kept by the native thread whatever JavaScript does. Each is multihop, so
 * that speakers in different subnets have one as well, and is tied to the dead man's switch of the responder.
 */
export class PeerSessions {
  readonly #options: PeerSessionsOptions;
  readonly #up = new Set<string>();
  #handed = '';

  constructor(options: PeerSessionsOptions) {
    this.#options = options;
  }

  /** These are the others in the ring. What stays is not disturbed. */
  set(peers: readonly SessionPeer[]): void {
    const { responder, log } = this.#options;
    const sessions = this.#watched(peers).flatMap((peer) => this.#sessionWith(peer) ?? []);
    const handed = sessions.map(({ id, peer }) => `${id} ${peer.family} ${peer.value}`).join('\n');
    if (handed === this.#handed) return;
    this.#handed = handed;
    const ids = new Set(sessions.map(({ id }) => id));
    for (const name of this.#up) if (!ids.has(name)) this.#up.delete(name);
    log.debug('sessions', { peers: [...ids] });
    responder.setBfdSessions(sessions);
  }

  /** The state of one has changed. */
  see({ id, state }: BfdEvent): void {
    if (state === 'up') this.#up.add(id);
    else this.#up.delete(id);
  }

  /** Whether the peer is heard. */
  isUp(name: string): boolean {
    return this.#up.has(name);
  }

  /** The same pairs on both sides, because all know the same names. */
  #watched(peers: readonly SessionPeer[]): readonly SessionPeer[] {
    const { node, isOurs } = this.#options;
    const ours = peers.filter(({ meta }) => isOurs(meta)).sort((a, b) => (a.name < b.name ? -1 : 1));
    if (ours.length < fullMesh) return ours;
    const names = [...ours.map(({ name }) => name), node].sort();
    const own = names.indexOf(node);
    return ours.filter(({ name }) => {
      const apart = Math.abs(names.indexOf(name) - own);
      return Math.min(apart, names.length - apart) <= neighbours;
    });
  }

  #sessionWith({ name, address }: SessionPeer): BfdSession | undefined {
    const { local, port, interval, multiplier, key } = this.#options;
    const peer = parseAddress(address);
    if (peer === undefined || peer.family !== local.family) return undefined;
    return {
      id: name,
      peer,
      local,
      port,
      multihop: true,
      desiredMinTx: interval,
      requiredMinRx: interval,
      detectMultiplier: multiplier,
      tiedToLease: true,
      ...(key === undefined ? {} : { authentication: { type: 'meticulousSha1' as const, keyId: 1, key } }),
    };
  }
}

/** What a change of a session's state says of the peer, if anything. */
export function sessionNews({ state, diagnostic, remoteState, remoteDiagnostic }: BfdEvent) {
  if (state === 'up') return 'up';
  if (state !== 'down') return undefined;
  if (diagnostic === 'detectionTimeExpired') return 'lost';
  // That it has lost us says nothing about it. That it does not work any more, or stops, it says by these.
  const gaveUp = remoteState === 'adminDown' || remoteDiagnostic === 'forwardingPlaneReset';
  return diagnostic === 'neighborSignaledDown' && gaveUp ? 'gave-up' : undefined;
}
