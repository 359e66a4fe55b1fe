// Sessions of our own in a process of its own: see bgp-speaker.ts. Reads a Command a line, writes a Report a line, and
// ends when its standard input does, without a word to its peers.
import { createInterface } from 'node:readline';
import { AdjRibOut } from '../../src/bgp/adj-rib-out.ts';
import type { PeerSettings } from '../../src/bgp/peer-settings.ts';
import type { Route } from '../../src/bgp/route.ts';
import { BgpSession, type StopKind } from '../../src/bgp/session.ts';
import type { SessionStatus } from '../../src/bgp/session-status.ts';
import { type Address, type Family, formatAddress, parseAddress, sameAddress } from '../../src/ip/address.ts';
import { parsePrefix } from '../../src/ip/prefix.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { TcpTransport } from '../../src/speaker/bgp/tcp-transport.ts';

/** A PeerSettings with addresses as text. What is left out is as most peers have it. */
export type PeerWish = {
  readonly name: string;
  readonly localAsn: number;
  readonly peerAsn: PeerSettings['peerAsn'];
  readonly routerId: string;
  readonly address: string;
  readonly interface?: string;
  readonly port?: number;
  readonly sourceAddress?: string;
  readonly password?: string;
  readonly ttl?: number;
  readonly minimumTtl?: number;
  readonly passive?: boolean;
  readonly connectTime?: number;
  readonly holdTime?: number;
  readonly keepaliveTime?: number;
  readonly families?: readonly Family[];
  readonly extendedNextHop?: boolean;
  readonly gracefulRestart?: PeerSettings['gracefulRestart'];
  readonly nextHop?: { readonly 4?: string; readonly 6?: string };
};

/** Communities as `65000:100` and `64512:1:2`. */
export type RouteWish = {
  readonly prefix: string;
  readonly localPref?: number;
  readonly med?: number;
  readonly communities?: readonly string[];
  readonly largeCommunities?: readonly string[];
  readonly prepend?: number;
};

/** A SessionStatus with addresses as text. */
export type StatusSeen = Omit<SessionStatus, 'localAddress' | 'remoteAddress'> & {
  readonly localAddress?: string;
  readonly remoteAddress?: string;
};

type Routes = { readonly [peer: string]: readonly RouteWish[] };

export type Command = { readonly id: number } & (
  | {
      readonly do: 'start';
      readonly peers: readonly PeerWish[];
      /** Addresses to listen on, at port 179, for all of these peers. */
      readonly listen: readonly string[];
      readonly routes: Routes;
    }
  /** All that is to be told, by the name of the peer. */
  | { readonly do: 'routes'; readonly routes: Routes }
  | { readonly do: 'stop'; readonly how: StopKind; readonly text: string }
  | { readonly do: 'bfdDown'; readonly peer: string }
  | { readonly do: 'status' }
);

export type Report =
  | { readonly id: number; readonly result: unknown; readonly error?: undefined }
  | { readonly id: number; readonly error: string }
  /** The status of a session has changed. */
  | { readonly peer: string; readonly status: StatusSeen };

type Peer = { readonly settings: PeerSettings; readonly routes: AdjRibOut; readonly session: BgpSession };

const transport = new TcpTransport();
const peers = new Map<string, Peer>();

createInterface({ input: process.stdin })
  .on('line', (line) => void answer(JSON.parse(line) as Command))
  .on('close', () => process.exit());

async function answer(command: Command): Promise<void> {
  const { id } = command;
  try {
    report({ id, result: (await obey(command)) ?? null });
  } catch (error) {
    report({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

async function obey(command: Command): Promise<unknown> {
  switch (command.do) {
    case 'start':
      return start(command);
    case 'routes':
      return tell(command.routes);
    case 'stop':
      await Promise.all([...peers.values()].map(({ session }) => session.stop(command.how, command.text)));
      return undefined;
    case 'bfdDown':
      return peerNamed(command.peer).session.bfdDown();
    case 'status':
      return Object.fromEntries([...peers].map(([name, { session }]) => [name, seen(session.status())]));
    default:
      return command satisfies never;
  }
}

async function start({ peers: wishes, listen, routes: told }: Extract<Command, { do: 'start' }>): Promise<void> {
  for (const wish of wishes) {
    const settings = settingsOf(wish);
    const routes = new AdjRibOut();
    const session = new BgpSession({
      settings,
      routes,
      transport,
      clock: systemClock,
      random: systemRandom,
      log: silentLogger,
      onChange: (status) => report({ peer: wish.name, status: seen(status) }),
    });
    peers.set(wish.name, { settings, routes, session });
  }
  tell(told);
  for (const address of listen) {
    await transport.listen({
      address: addressOf(address),
      port: 179,
      peers: [...peers.values()].map(({ settings }) => settings),
      onConnection(incoming) {
        const called = [...peers.values()].find(({ settings }) =>
          sameAddress(settings.address, incoming.remoteAddress),
        );
        called?.session.accept(incoming);
      },
      onError: (error) => console.error(error),
    });
  }
  for (const { session } of peers.values()) session.start();
}

function tell(routes: Routes): void {
  for (const [name, wishes] of Object.entries(routes)) {
    const peer = peerNamed(name);
    peer.routes.set(wishes.map(routeOf));
    peer.session.routesChanged();
  }
}

function peerNamed(name: string): Peer {
  const peer = peers.get(name);
  if (peer === undefined) throw new Error(`no peer ${name}`);
  return peer;
}

function settingsOf(wish: PeerWish): PeerSettings {
  const { address, sourceAddress, routerId, nextHop, ...rest } = wish;
  const internal = wish.peerAsn === 'internal' || wish.peerAsn === wish.localAsn;
  return {
    port: 179,
    ttl: internal ? 64 : 1,
    passive: false,
    connectTime: 1_000,
    holdTime: 9,
    families: [addressOf(address).family],
    extendedNextHop: false,
    gracefulRestart: undefined,
    ...rest,
    address: addressOf(address),
    routerId: Number(addressOf(routerId).value),
    ...(sourceAddress === undefined ? {} : { sourceAddress: addressOf(sourceAddress) }),
    ...(nextHop === undefined
      ? {}
      : { nextHop: { 4: nextHop[4] && addressOf(nextHop[4]), 6: nextHop[6] && addressOf(nextHop[6]) } }),
  } as PeerSettings;
}

function routeOf(wish: RouteWish): Route {
  const { localPref, med, communities = [], largeCommunities = [], prepend = 0 } = wish;
  const prefix = parsePrefix(wish.prefix);
  if (typeof prefix === 'string') throw new Error(`${wish.prefix}: ${prefix}`);
  const numbers = (text: string) => text.split(':').map(Number);
  return {
    prefix,
    attributes: {
      localPref,
      med,
      communities: communities.map((each) => numbers(each).reduce((high, low) => high * 65_536 + low)),
      largeCommunities: largeCommunities.map((each) => numbers(each) as [number, number, number]),
      prepend,
    },
  };
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}

function seen({ localAddress, remoteAddress, ...status }: SessionStatus): StatusSeen {
  return {
    ...status,
    ...(localAddress === undefined ? {} : { localAddress: formatAddress(localAddress) }),
    ...(remoteAddress === undefined ? {} : { remoteAddress: formatAddress(remoteAddress) }),
  };
}

function report(message: Report): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
