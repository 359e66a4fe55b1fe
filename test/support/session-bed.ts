import { AdjRibOut } from '../../src/bgp/adj-rib-out.ts';
import type { Open } from '../../src/bgp/message.ts';
import type { PeerSettings } from '../../src/bgp/peer-settings.ts';
import type { Route, RouteAttributes } from '../../src/bgp/route.ts';
import { BgpSession } from '../../src/bgp/session.ts';
import type { SessionStatus } from '../../src/bgp/session-status.ts';
import { type Address, parseAddress } from '../../src/ip/address.ts';
import { parsePrefix } from '../../src/ip/prefix.ts';
import { seededRandom } from '../../src/runtime/random.ts';
import { FakeClock } from './fake-clock.ts';
import { RecordedLog } from './recorded-log.ts';
import { keepalive, routerOpen, ScriptedRouter } from './scripted-router.ts';
import { TcpNetwork } from './tcp-network.ts';

export const node = address('192.0.2.10');
export const routerAddress = address('192.0.2.1');

export const plainSettings: PeerSettings = {
  name: 'tor',
  localAsn: 64500,
  peerAsn: 64501,
  routerId: 0xc000020a,
  address: routerAddress,
  port: 179,
  ttl: 1,
  passive: false,
  holdTime: 90,
  families: [4, 6],
  extendedNextHop: false,
  gracefulRestart: undefined,
};

export const plainAttributes: RouteAttributes = {
  localPref: undefined,
  med: undefined,
  communities: [],
  largeCommunities: [],
  prepend: 0,
};

export type BedOptions = {
  readonly seed?: number;
  readonly local?: Address;
  /** Of another bed, to talk to its session. */
  readonly network?: TcpNetwork<FakeClock>;
};

/** One session of ours and a router in the hands of the test, in virtual time. */
export class SessionBed {
  readonly clock: FakeClock;
  readonly network: TcpNetwork<FakeClock>;
  readonly routes = new AdjRibOut();
  readonly log = new RecordedLog();
  readonly session: BgpSession;
  readonly statuses: SessionStatus[] = [];
  /** Of each connection of the router. */
  readonly routers: ScriptedRouter[] = [];
  #late = 0;

  constructor(settings: Partial<PeerSettings> = {}, options: BedOptions = {}) {
    this.network = options.network ?? new TcpNetwork(new FakeClock());
    this.clock = this.network.clock;
    this.session = new BgpSession({
      settings: { ...plainSettings, ...settings },
      transport: this.network.transport(options.local ?? node),
      clock: {
        now: () => this.clock.now() + this.#late,
        wallTime: () => this.clock.wallTime(),
        after: (delay, run) => this.clock.after(delay, run),
        every: (period, run) => this.clock.every(period, run),
      },
      random: seededRandom(options.seed ?? 1),
      log: this.log,
      routes: this.routes,
      onChange: (status) => this.statuses.push(status),
    });
  }

  get status(): SessionStatus {
    return this.session.status();
  }

  /** The newest connection of the router. */
  get router(): ScriptedRouter {
    const router = this.routers.at(-1);
    if (router === undefined) throw new Error('no connection has reached the router');
    return router;
  }

  /** The router takes connections; `greet` is done with each. */
  listen(greet: (router: ScriptedRouter) => void = () => {}, at: Address = routerAddress): this {
    this.network.listen(at, (incoming) => {
      const router = new ScriptedRouter(incoming);
      this.routers.push(router);
      greet(router);
      return true;
    });
    return this;
  }

  /** All timers of the session that run now are late by this. */
  holdUp(milliseconds: number): void {
    this.#late += milliseconds;
  }

  /** Up to Established, with a router that says this. */
  async establish(open: Partial<Open> = {}, at?: Address): Promise<this> {
    this.listen((router) => router.say({ ...routerOpen, ...open }, keepalive), at);
    this.session.start();
    await this.clock.until('established', () => this.status.state === 'Established', 1_000);
    await this.clock.advance(10);
    return this;
  }

  /** The session is stopped and nothing of it is left. */
  async leftovers(): Promise<{ readonly timers: number; readonly connections: number }> {
    await this.clock.advance(2_000);
    return { timers: this.clock.pending(), connections: this.network.open };
  }
}

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

export function route(text: string, attributes: Partial<RouteAttributes> = {}): Route {
  const prefix = parsePrefix(text);
  if (typeof prefix === 'string') throw new Error(`not a prefix: ${text}`);
  return { prefix, attributes: { ...plainAttributes, ...attributes } };
}

/** As many host routes, of the same attributes. */
export function manyRoutes(count: number): Route[] {
  return Array.from({ length: count }, (_, index) => ({
    prefix: { family: 4, value: 0xc6120000n + BigInt(index), length: 32 },
    attributes: plainAttributes,
  }));
}
