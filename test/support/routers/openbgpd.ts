import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Family } from '../../../src/ip/address.ts';
import { ask, Daemon } from './daemon.ts';
import { OneDaemon } from './one-daemon.ts';
import {
  type Announcement,
  communityText,
  type Neighbor,
  type PeerSeen,
  type PeerState,
  type Router,
  type RouterDescription,
  type RouterKind,
  type RouteSeen,
  started,
  timersOf,
} from './router.ts';
import { createRunDirectory } from './run-directory.ts';

/** FRR's daemon of the same name is elsewhere. */
const program = '/usr/sbin/bgpd';
const control = '/usr/sbin/bgpctl';

export const openbgpd: RouterKind = {
  name: 'OpenBGPD',
  package: 'openbgpd',
  installed: () => existsSync(program) && existsSync(control),
  cannot: {
    bfd: 'OpenBGPD has no BFD',
    'extended next hop': 'OpenBGPD 7 does not know RFC 8950',
    forwarding: 'OpenBGPD keeps its table to itself: on Linux it tells the kernel of no route',
    unnumbered: 'OpenBGPD needs the address of a neighbor',
  },
  start: (description) => started(new OpenBgpd(description)),
};

class OpenBgpd extends OneDaemon implements Router {
  constructor(description: RouterDescription) {
    const directory = createRunDirectory('OpenBGPD');
    const run = join(directory, 'run');
    // Its socket, and the directory that its processes without privileges are locked into.
    mkdirSync(join(run, 'openbgpd'), { recursive: true });
    super(description, { netns: description.netns, directory, binds: [{ at: '/run', directory: run }] });
  }

  async start(): Promise<void> {
    writeFileSync(this.#file, configuration(this.description));
    // It refuses one that others may read.
    chmodSync(this.#file, 0o600);
    this.daemon = Daemon.start(this.place, 'bgpd', [program, '-d', '-f', this.#file]);
    await this.daemon.ready(async () => (await this.#ask('show', 'summary')) !== undefined);
    await this.announce(...this.announced.values());
  }

  async routes(family: Family): Promise<RouteSeen[]> {
    const { rib = [] } = (await this.#ask('show', 'rib', family === 4 ? 'inet' : 'inet6', 'detail')) as {
      readonly rib?: readonly RouteJson[];
    };
    return rib.filter(({ announced }) => !announced).map(routeSeen);
  }

  async peer(address: string): Promise<PeerSeen> {
    const { neighbors = [] } = (await this.#ask('show', 'neighbor', address)) as { readonly neighbors?: PeerJson[] };
    const peer = neighbors.find(({ remote_addr: remote }) => remote === address);
    if (peer === undefined) throw new Error(`OpenBGPD has no neighbor ${address}`);
    const established = peer.state === 'Established';
    return {
      state: peer.state,
      prefixesReceived: peer.stats.prefixes.received,
      gracefulRestart: peer.session?.capabilities?.remote?.graceful_restart !== undefined,
      ...(established ? { holdTime: peer.session?.holdtime ?? 0, uptime: peer.last_updown_sec } : {}),
      ...(peer.last_error === undefined ? {} : { lastError: peer.last_error }),
    };
  }

  async announce(...announcements: readonly Announcement[]): Promise<void> {
    for (const each of announcements) {
      this.announced.set(each.prefix, each);
      await ask(this.place, control, 'network', 'add', each.prefix, ...attributesOf(each).flat());
    }
  }

  async withdraw(...prefixes: readonly string[]): Promise<void> {
    for (const each of prefixes) {
      this.announced.delete(each);
      await ask(this.place, control, 'network', 'delete', each);
    }
  }

  override async kill(signal: NodeJS.Signals): Promise<void> {
    // The sessions are a process of their own.
    const pid = this.daemon?.pid;
    const children = pid && this.daemon?.running ? childrenOf(pid) : [];
    await super.kill(signal);
    for (const each of children) if (existsSync(`/proc/${each}`)) process.kill(each, signal);
  }

  get #file(): string {
    return join(this.place.directory, 'bgpd.conf');
  }

  async #ask(...command: readonly string[]): Promise<unknown> {
    return JSON.parse(await ask(this.place, control, '-j', ...command));
  }
}

type RouteJson = {
  readonly prefix: string;
  readonly announced?: boolean;
  readonly aspath: string;
  readonly exit_nexthop: string;
  readonly localpref?: number;
  readonly metric?: number;
  readonly communities?: readonly string[];
  readonly large_communities?: readonly string[];
  readonly attributes?: readonly { readonly type: string; readonly communities?: readonly string[] }[];
};

type PeerJson = {
  readonly remote_addr: string;
  readonly state: PeerState;
  readonly last_updown_sec: number;
  readonly last_error?: string;
  readonly stats: { readonly prefixes: { readonly received: number } };
  readonly session?: {
    readonly holdtime: number;
    readonly capabilities?: { readonly remote?: { readonly graceful_restart?: unknown } };
  };
};

function routeSeen(route: RouteJson): RouteSeen {
  return {
    prefix: route.prefix,
    nextHop: route.exit_nexthop,
    asPath: route.aspath.split(' ').filter(Boolean).map(Number),
    ...(route.localpref === undefined ? {} : { localPref: route.localpref }),
    ...(route.metric ? { med: route.metric } : {}),
    communities: (route.communities ?? []).map(communityText),
    largeCommunities: route.large_communities ?? [],
  };
}

function configuration(description: RouterDescription): string {
  const { asn, routerId, addresses, neighbors } = description;
  const connectRetry = Math.min(...neighbors.map((each) => timersOf(each).connectRetry));
  return [
    `AS ${asn}`,
    `router-id ${routerId}`,
    `connect-retry ${connectRetry}`,
    'fib-update no',
    ...Object.values(addresses).map((each) => `listen on ${each}`),
    ...neighbors.map((each) => `neighbor ${each.address} {\n  ${session(each).join('\n  ')}\n}`),
    'allow from any',
    'allow to any',
    '',
  ].join('\n');
}

function session(neighbor: Neighbor): string[] {
  const { address, password, passive, gtsm, multihop, gracefulRestart } = neighbor;
  if (address === undefined) throw new Error(openbgpd.cannot.unnumbered);
  return [
    // No local-address: with one, a password does not count for who connects to OpenBGPD.
    `remote-as ${neighbor.asn}`,
    `holdtime ${timersOf(neighbor).hold}`,
    ...([4, 6] as const).map(
      (family) => `announce IPv${family} ${neighbor.families.includes(family) ? 'unicast' : 'none'}`,
    ),
    `announce restart ${gracefulRestart ? 'yes' : 'no'}`,
    ...(passive ? ['passive'] : []),
    ...(password === undefined ? [] : [`tcp md5sig password "${password}"`]),
    ...(multihop === undefined ? [] : [`multihop ${multihop}`]),
    ...(gtsm === undefined ? [] : ['ttl-security yes']),
  ];
}

function attributesOf({ med, communities = [], largeCommunities = [] }: Announcement): string[][] {
  return [
    ...(med === undefined ? [] : [['med', `${med}`]]),
    ...communities.map((each) => ['community', each]),
    ...largeCommunities.map((each) => ['large-community', each]),
  ];
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}
