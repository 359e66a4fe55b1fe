import { AdjRibOut } from '../../bgp/adj-rib-out.ts';
import type { Route } from '../../bgp/route.ts';
import { BgpSession, type StopKind } from '../../bgp/session.ts';
import type { SessionStatus } from '../../bgp/session-status.ts';
import type { IncomingConnection, Transport } from '../../bgp/transport.ts';
import { type Address, sameAddress } from '../../ip/address.ts';
import type { Prefix } from '../../ip/prefix.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Random } from '../../runtime/random.ts';
import { valueText } from '../value-text.ts';
import { keepsSession, type Peering } from './peers.ts';

export type PeerSessionOptions = {
  readonly transport: Transport;
  /** All that the peer is to be told. */
  readonly routes: () => Iterable<Route>;
  /** After every change of state and every error. */
  readonly onChange: (status: SessionStatus | undefined) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/** Between two routers of a link that are taken for the peer, in milliseconds. */
const patience = 1_000;

/**
 * The session with one BGPPeer, for as long as there is that BGPPeer: one BgpSession after another, as its wish and the
 * address of the peer change, and one Adj-RIB-Out.
 */
export class PeerSession {
  readonly #options: PeerSessionOptions;
  #rib = new AdjRibOut();
  #peering: Peering;
  #address: Address | undefined;
  /** When another was last heard on the link and taken, by `clock.now()`. */
  #locatedAt = -Infinity;
  #mayRun = false;
  #session: BgpSession | undefined;
  /** The one before, until it has ended: two at once would be in each other's way at the peer. */
  #ending: Promise<void> | undefined;
  #isClosed = false;

  constructor(peering: Peering, options: PeerSessionOptions) {
    this.#options = options;
    this.#peering = peering;
    this.#address = peering.wish.address;
    this.#rib.allow(peering.allowedPrefixes);
  }

  get peering(): Peering {
    return this.#peering;
  }

  /** Where the peer is: of one that is only known by its interface, once it has been heard. */
  get address(): Address | undefined {
    return this.#address;
  }

  /** Begins to speak, or to speak again after a change. Idempotent. */
  start(): void {
    if (this.#mayRun) return;
    this.#mayRun = true;
    this.refill();
    this.#run();
  }

  /** The peer has connected to us. False: the connection is not wanted. */
  accept(connection: IncomingConnection): boolean {
    return this.#session?.accept(connection) ?? false;
  }

  /** The BGPPeer says something else. The session goes on if that is no reason to end it. */
  change(peering: Peering): void {
    const before = this.#peering;
    this.#peering = peering;
    const isElsewhere = peering.wish.address !== undefined || peering.wish.interface !== before.wish.interface;
    const address = this.#address;
    if (isElsewhere) this.#address = peering.wish.address;
    if (valueText(peering.allowedPrefixes) !== valueText(before.allowedPrefixes)) {
      this.#rib.allow(peering.allowedPrefixes);
      this.refill();
    }
    if (keepsSession(before.wish, peering.wish)) return;
    // What the peer is to be told may be something else, too.
    this.#mayRun = false;
    // Another router is not to keep what it will not be told about again.
    const isSame = address !== undefined && this.#address !== undefined && sameAddress(address, this.#address);
    this.#renew('its BGPPeer has changed', isSame ? 'restart' : 'shutdown');
  }

  /**
   * Who is at the other end of the link. That another router, or a host that poses as one, is heard as well is no reason
   * to end a session that is up, and none to look for the peer more than once a second.
   */
  locate(address: Address | undefined): void {
    if (address === undefined || this.#address?.value === address.value) return;
    const now = this.#options.clock.now();
    const isUp = this.#session?.status().state === 'Established';
    if (this.#address !== undefined && (isUp || now - this.#locatedAt < patience)) return;
    this.#locatedAt = now;
    this.#address = address;
    this.#renew('the peer has another address', 'restart');
  }

  /** Some routes are others. */
  tell(announce: Iterable<Route>, withdraw: Iterable<Prefix>): void {
    this.#rib.change(announce, withdraw);
    this.#session?.routesChanged();
  }

  /** All routes may be others. */
  refill(): void {
    this.#rib.set(this.#options.routes());
    this.#session?.routesChanged();
  }

  bfdDown(): void {
    this.#session?.bfdDown();
  }

  status(): SessionStatus | undefined {
    return this.#session?.status();
  }

  /** Whether the peer has routes of ours, as far as we know. */
  get hasTold(): boolean {
    const { announced } = this.#rib;
    return this.#session?.status().state === 'Established' && announced[4] + announced[6] > 0;
  }

  /** Whether the peer keeps our routes while we are away. */
  get keepsRoutes(): boolean {
    return this.#session?.keepsRoutes ?? false;
  }

  /** Whether nothing is left to be sent. */
  get isFlushed(): boolean {
    const { pending } = this.#rib;
    return this.#session?.status().state !== 'Established' || pending[4] + pending[6] === 0;
  }

  /** Resolves when no connection is left. Idempotent. */
  async close(how: StopKind, text: string): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#session?.stop(how, text), this.#ending]);
  }

  #renew(why: string, how: StopKind): void {
    const session = this.#session;
    if (session === undefined) {
      this.#run();
      return;
    }
    this.#session = undefined;
    // A peer with graceful restart keeps the routes over a `restart`.
    const ended = session.stop(how, why).then(() => {
      this.#ending = undefined;
      this.#run();
    });
    this.#ending = ended;
  }

  #run(): void {
    const { wish } = this.#peering;
    const address = this.#address;
    if (!this.#mayRun || this.#isClosed || this.#ending !== undefined || this.#session !== undefined) return;
    if (address === undefined) {
      this.#options.onChange(undefined);
      return;
    }
    const { transport, clock, random, log, onChange } = this.#options;
    // Of the session before nothing is known to the peer, or it has to be told again.
    this.#rib.reset();
    const settings = { ...wish, address };
    const routes = this.#rib;
    const session: BgpSession = new BgpSession({
      settings,
      transport,
      clock,
      random,
      log,
      routes,
      onChange: (status) => {
        if (session === this.#session) onChange(status);
      },
    });
    this.#session = session;
    session.start();
  }
}
