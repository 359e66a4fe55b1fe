import type { Family } from '../ip/address.ts';
import { formatPrefix, type Prefix } from '../ip/prefix.ts';
import type { Logger } from '../runtime/logger.ts';
import type { AdjRibOut, RouteChanges } from './adj-rib-out.ts';
import { encodeMessage } from './codec.ts';
import type { BgpConnection } from './connection.ts';
import type { Negotiated } from './negotiation.ts';
import { OversizedRoutes } from './oversized-routes.ts';
import type { PeerSettings } from './peer-settings.ts';
import type { SessionCounters } from './session-status.ts';
import { encodeEndOfRib, encodeUpdates, fitsMessage } from './update-encoder.ts';
import { concat } from './wire.ts';
import { type NextHop, nextHopFor, wireAttributes } from './wire-attributes.ts';

export type RouteSenderOptions = {
  readonly connection: BgpConnection;
  readonly settings: PeerSettings;
  readonly negotiated: Negotiated;
  readonly routes: AdjRibOut;
  readonly counters: SessionCounters;
  readonly log: Logger;
};

/** With more than this unsent, nothing more is made until the peer has read it all. */
const highWater = 256 * 1024;
/** Messages go to the socket together. */
const writeBytes = 64 * 1024;

/**
 * Tells one established peer its routes. It asks the Adj-RIB-Out for changes only when those before are sent, so that a
 * slow peer costs one batch of messages, and what changes twice meanwhile is told once.
 */
export class RouteSender {
  readonly #options: RouteSenderOptions;
  readonly #nextHops = new Map<Family, NextHop>();
  readonly #withheld: { 4?: string; 6?: string } = {};
  readonly #oversized = new OversizedRoutes();
  /** Families of which the peer wants to be told everything again. */
  readonly #refreshes = new Set<Family>();
  #batch: Iterator<Uint8Array> | undefined;

  constructor(options: RouteSenderOptions) {
    this.#options = options;
    for (const family of options.settings.families) this.#prepare(family);
  }

  /** Why no route of a family can be told. */
  get withheld(): { readonly 4?: string; readonly 6?: string } {
    return this.#withheld;
  }

  /** Routes that cannot be told, while the others are. */
  get oversized(): Pick<OversizedRoutes, 'counts' | 'problem'> {
    return this.#oversized;
  }

  /** Everything, and then that it is everything (RFC 4724 section 2). */
  start(): void {
    this.#options.routes.reset();
    this.#batch = this.#initial();
    this.pump();
  }

  /** Answers a ROUTE-REFRESH. However many come while we are busy, it is done once more. */
  refresh(family: Family): void {
    if (!this.#options.negotiated.families.includes(family)) return;
    this.#refreshes.add(family);
    this.pump();
  }

  /** Sends what is to be sent, as far as the peer reads. */
  pump(): void {
    const { connection } = this.#options;
    for (;;) {
      if (connection.tcp === undefined || connection.tcp.bufferedBytes > highWater) return;
      const messages: Uint8Array[] = [];
      for (let bytes = 0; bytes < writeBytes; ) {
        const message = this.#next();
        if (message === undefined) break;
        messages.push(message);
        bytes += message.length;
      }
      if (messages.length === 0) return;
      connection.write(concat(messages));
    }
  }

  #prepare(family: Family): void {
    const { connection, settings, negotiated } = this.#options;
    if (!negotiated.families.includes(family)) {
      this.#withheld[family] = `the router takes no IPv${family} routes: activate the address family there`;
      return;
    }
    const local = connection.tcp?.localAddress;
    if (local === undefined) return;
    const nextHop = nextHopFor(family, local, settings, negotiated);
    if (typeof nextHop === 'string') this.#withheld[family] = nextHop;
    else this.#nextHops.set(family, nextHop);
  }

  #next(): Uint8Array | undefined {
    for (;;) {
      this.#batch ??= this.#nextBatch();
      if (this.#batch === undefined) return undefined;
      const { value, done } = this.#batch.next();
      if (!done) return value;
      this.#batch = undefined;
    }
  }

  #nextBatch(): Iterator<Uint8Array> | undefined {
    const { routes } = this.#options;
    const [family] = this.#refreshes;
    if (family !== undefined) {
      this.#refreshes.delete(family);
      return this.#refreshed(family);
    }
    return routes.pending[4] + routes.pending[6] > 0 ? this.#changes() : undefined;
  }

  *#initial(): Generator<Uint8Array> {
    yield* this.#changes();
    for (const family of this.#options.negotiated.families) yield this.#counted(encodeEndOfRib(family));
  }

  /** RFC 7313 section 4, where the peer knows it: between two marks, so that it can drop what it was not told again. */
  *#refreshed(family: Family): Generator<Uint8Array> {
    const { routes, negotiated } = this.#options;
    const marked = negotiated.enhancedRouteRefresh;
    if (marked) yield this.#mark(family, 'begin');
    routes.resend(family);
    yield* this.#changes();
    if (marked) yield this.#mark(family, 'end');
  }

  *#changes(): Generator<Uint8Array> {
    const { routes, negotiated } = this.#options;
    for (const update of encodeUpdates(this.#onTheWire(routes.take()), negotiated)) yield this.#counted(update);
  }

  #onTheWire({ announce, withdraw }: RouteChanges): Parameters<typeof encodeUpdates>[0] {
    const { settings, negotiated, log } = this.#options;
    this.#oversized.remove(withdraw);
    const oversized: Prefix[] = [];
    const sendable = announce.flatMap(({ attributes, family, prefixes }) => {
      const nextHop = this.#nextHops.get(family);
      if (nextHop === undefined) return [];
      const wire = wireAttributes(attributes, nextHop, settings, negotiated);
      if (fitsMessage(wire, family, negotiated)) {
        this.#oversized.remove(prefixes);
        return [{ attributes: wire, family, prefixes }];
      }
      this.#oversized.add(prefixes);
      const { length: communities } = [...wire.communities, ...wire.largeCommunities];
      const fields = { prefixes: prefixes.length, first: formatPrefix(prefixes[0]!), communities };
      log.error('routes too large for a message', { peer: settings.name, ...fields });
      for (const prefix of prefixes) oversized.push(prefix);
      return [];
    });
    // The peer may have been told of them with fewer attributes.
    const gone = [...withdraw, ...oversized].filter(({ family }) => this.#nextHops.has(family));
    return { announce: sendable, withdraw: gone };
  }

  #mark(family: Family, subtype: 'begin' | 'end'): Uint8Array {
    this.#options.counters.routeRefreshSent++;
    this.#options.counters.totalSent++;
    return encodeMessage({ type: 'route-refresh', family, subtype });
  }

  #counted(update: Uint8Array): Uint8Array {
    this.#options.counters.updatesSent++;
    this.#options.counters.totalSent++;
    return update;
  }
}
